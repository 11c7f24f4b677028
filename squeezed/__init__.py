"""Squeezed Attention on any Hugging Face causal LM: cluster a fixed context once, ask it cheaply.

ctx = squeezed.prepare(model, context_ids)
out = squeezed.generate(model, ctx, question_ids, method=squeezed.Squeezed(sparsity=0.9))
"""

from squeezed_kernels import resolve_backend

from squeezed.clustering import STRATEGIES
from squeezed.context.ids import check_ids
from squeezed.errors import (
    BudgetError,
    IndexCorruptError,
    IndexMismatchError,
    UnsupportedModelError,
)
from squeezed.fixed_context import FixedContext, prepare
from squeezed.generation.greedy import Generation, generate
from squeezed.index.settings import validate_levels
from squeezed.methods import (
    CAKE,
    H2O,
    METHODS,
    TOVA,
    AdaKV,
    ChunkKV,
    ClusterKV,
    CriticalKV,
    DoubleSparsity,
    ExpectedAttention,
    FewBits,
    Full,
    InfLLM,
    KeyDiff,
    Knorm,
    KVzip,
    Loki,
    Method,
    ObservedAttention,
    Oracle,
    PQCache,
    PyramidKV,
    Quest,
    Random,
    RetroInfer,
    RocketKV,
    ShadowKV,
    SnapKV,
    SparQ,
    Squeezed,
    StreamingLLM,
    Twilight,
)
from squeezed.model.statistics import statistics_for

__all__ = [
    "CAKE",
    "H2O",
    "METHODS",
    "STRATEGIES",
    "TOVA",
    "AdaKV",
    "BudgetError",
    "ChunkKV",
    "ClusterKV",
    "CriticalKV",
    "DoubleSparsity",
    "ExpectedAttention",
    "FewBits",
    "FixedContext",
    "Full",
    "Generation",
    "IndexCorruptError",
    "IndexMismatchError",
    "InfLLM",
    "KVzip",
    "KeyDiff",
    "Knorm",
    "Loki",
    "Method",
    "ObservedAttention",
    "Oracle",
    "PQCache",
    "PyramidKV",
    "Quest",
    "Random",
    "RetroInfer",
    "RocketKV",
    "ShadowKV",
    "SnapKV",
    "SparQ",
    "Squeezed",
    "StreamingLLM",
    "Twilight",
    "UnsupportedModelError",
    "check_ids",
    "generate",
    "prepare",
    "resolve_backend",
    "statistics_for",
    "validate_levels",
]
