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
    NonFiniteError,
    UnsupportedModelError,
)
from squeezed.fixed_context import FixedContext, prepare
from squeezed.generation.greedy import Generation, generate
from squeezed.index.settings import validate_levels
from squeezed.methods import (
    H2O,
    METHODS,
    Full,
    Method,
    Oracle,
    Quest,
    Random,
    SnapKV,
    Squeezed,
    StreamingLLM,
)
from squeezed.model.statistics import accumulate_for

__all__ = [
    "H2O",
    "METHODS",
    "STRATEGIES",
    "BudgetError",
    "FixedContext",
    "Full",
    "Generation",
    "IndexCorruptError",
    "IndexMismatchError",
    "Method",
    "NonFiniteError",
    "Oracle",
    "Quest",
    "Random",
    "SnapKV",
    "Squeezed",
    "StreamingLLM",
    "UnsupportedModelError",
    "accumulate_for",
    "check_ids",
    "generate",
    "prepare",
    "resolve_backend",
    "validate_levels",
]
