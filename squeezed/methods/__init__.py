"""The methods by name: a new one is one file here, named as it is, and one YAML in ``conf/method``."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from squeezed.context.data import Context
from squeezed.methods.adakv import AdaKV
from squeezed.methods.base import BudgetedMethod, Method, Size
from squeezed.methods.cake import CAKE
from squeezed.methods.chunkkv import ChunkKV
from squeezed.methods.clusterkv import ClusterKV
from squeezed.methods.criticalkv import CriticalKV
from squeezed.methods.double_sparsity import DoubleSparsity
from squeezed.methods.duo_attention import DuoAttention
from squeezed.methods.expected_attention import ExpectedAttention
from squeezed.methods.few_bits import FewBits
from squeezed.methods.full import Full
from squeezed.methods.h2o import H2O
from squeezed.methods.infllm import InfLLM
from squeezed.methods.keydiff import KeyDiff
from squeezed.methods.knorm import Knorm
from squeezed.methods.kvzip import KVzip
from squeezed.methods.lava import LAVa
from squeezed.methods.loki import Loki
from squeezed.methods.magicpig import MagicPIG
from squeezed.methods.multipole import Multipole
from squeezed.methods.observed import ObservedAttention
from squeezed.methods.oracle import Oracle
from squeezed.methods.pqcache import PQCache
from squeezed.methods.pyramidkv import PyramidKV
from squeezed.methods.quest import Quest
from squeezed.methods.random import Random
from squeezed.methods.retroinfer import RetroInfer
from squeezed.methods.rocketkv import RocketKV
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.scored import ScoredMethod
from squeezed.methods.shadowkv import ShadowKV
from squeezed.methods.sketched import Sketch, SketchedMethod, as_it_is
from squeezed.methods.snapkv import SnapKV
from squeezed.methods.sparq import SparQ
from squeezed.methods.squeezed import Squeezed
from squeezed.methods.squeezed_best import SqueezedBest
from squeezed.methods.streaming import StreamingLLM
from squeezed.methods.tova import TOVA
from squeezed.methods.twilight import Twilight
from squeezed.methods.vattention import VAttention
from squeezed.selection.kept import Selection, StandIns
from squeezed.selection.selectors import Selector, Static, best_rows


def _found() -> Iterator[tuple[str, type[Method]]]:
    """The method of each file of this folder, by the file's name.

    Raises:
        TypeError: a file with two methods, which would both have its name.
    """
    for file in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{file.name}")
        own = [
            each
            for each in vars(module).values()
            if inspect.isclass(each) and each.__module__ == module.__name__
            if issubclass(each, Method) and not inspect.isabstract(each)
        ]
        if len(own) > 1:
            names = ", ".join(each.__name__ for each in own)
            raise TypeError(f"{module.__name__} has the methods {names}; expected one a file")
        yield from ((file.name, each) for each in own)


METHODS: dict[str, type[Method]] = dict(_found())

__all__ = [
    "CAKE",
    "H2O",
    "METHODS",
    "TOVA",
    "AdaKV",
    "BudgetedMethod",
    "ChunkKV",
    "ClusterKV",
    "Context",
    "CriticalKV",
    "DoubleSparsity",
    "DuoAttention",
    "ExpectedAttention",
    "FewBits",
    "Full",
    "InfLLM",
    "KVzip",
    "KeyDiff",
    "Knorm",
    "LAVa",
    "Loki",
    "MagicPIG",
    "Method",
    "Multipole",
    "ObservedAttention",
    "Oracle",
    "PQCache",
    "PyramidKV",
    "Quest",
    "Random",
    "RetroInfer",
    "RocketKV",
    "Rule",
    "RuledMethod",
    "ScoredMethod",
    "Selection",
    "Selector",
    "ShadowKV",
    "Size",
    "Sketch",
    "SketchedMethod",
    "SnapKV",
    "SparQ",
    "Squeezed",
    "SqueezedBest",
    "StandIns",
    "Static",
    "StreamingLLM",
    "Twilight",
    "VAttention",
    "as_it_is",
    "best_rows",
]
