"""The methods by name, and what a new one is made of: one file here and one YAML in ``conf/method``."""

from squeezed.context.data import Context
from squeezed.methods.base import BudgetedMethod, Method, Size
from squeezed.methods.full import Full
from squeezed.methods.h2o import H2O
from squeezed.methods.oracle import Oracle
from squeezed.methods.quest import Quest
from squeezed.methods.random import Random
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.snapkv import SnapKV
from squeezed.methods.squeezed import Squeezed
from squeezed.methods.streaming import StreamingLLM
from squeezed.selection.kept import Selection, StandIns
from squeezed.selection.selectors import Selector, Static, best_rows

METHODS: dict[str, type[Method]] = {
    "full": Full,
    "h2o": H2O,
    "oracle": Oracle,
    "quest": Quest,
    "random": Random,
    "snapkv": SnapKV,
    "squeezed": Squeezed,
    "streaming": StreamingLLM,
}

__all__ = [
    "H2O",
    "METHODS",
    "BudgetedMethod",
    "Context",
    "Full",
    "Method",
    "Oracle",
    "Quest",
    "Random",
    "Rule",
    "RuledMethod",
    "Selection",
    "Selector",
    "Size",
    "SnapKV",
    "Squeezed",
    "StandIns",
    "Static",
    "StreamingLLM",
    "best_rows",
]
