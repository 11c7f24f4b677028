"""Squeezed Attention on any Hugging Face causal LM: cluster a fixed context once, ask it cheaply.

ctx = squeezed.prepare(model, context_ids)
out = squeezed.generate(model, ctx, question_ids, method=squeezed.Squeezed(sparsity=0.9))
"""

from squeezed_kernels import resolve_backend

from squeezed.clustering import STRATEGIES
from squeezed.context import FixedContext, check_ids, prepare
from squeezed.errors import (
    BudgetError,
    IndexCorruptError,
    IndexMismatchError,
    UnsupportedModelError,
)
from squeezed.generate import Generation, generate
from squeezed.index import validate_levels
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
    "Oracle",
    "Quest",
    "Random",
    "SnapKV",
    "Squeezed",
    "StreamingLLM",
    "UnsupportedModelError",
    "check_ids",
    "generate",
    "prepare",
    "resolve_backend",
    "validate_levels",
]
