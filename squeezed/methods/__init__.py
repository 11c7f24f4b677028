"""The methods by name; a new one is one file here and one YAML in ``conf/method``."""

from squeezed.methods.base import Method, Selection, Selector
from squeezed.methods.full import Full
from squeezed.methods.h2o import H2O
from squeezed.methods.oracle import Oracle
from squeezed.methods.quest import Quest
from squeezed.methods.random import Random
from squeezed.methods.snapkv import SnapKV
from squeezed.methods.squeezed import Squeezed
from squeezed.methods.streaming import StreamingLLM

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
    "Full",
    "Method",
    "Oracle",
    "Quest",
    "Random",
    "Selection",
    "Selector",
    "SnapKV",
    "Squeezed",
    "StreamingLLM",
]
