"""The engine's few numeric operations and their backends.

``reference`` (plain PyTorch) is the specification that every other backend is tested against. The folder is
called ``kernels``; the import name is ``squeezed_kernels``, because a package importable as ``kernels``
would hide the Hugging Face package of that name and break ``import transformers``.
"""

from squeezed_kernels.api import (
    assign,
    attend,
    attend_groups,
    children,
    collisions,
    keep_best,
    label_least,
    label_order,
    label_sums,
    lookup,
    lookup_codes,
    merge,
    own_products,
)
from squeezed_kernels.backend import backends, compile_all, resolve_backend
from squeezed_kernels.clusters import take_rows
from squeezed_kernels.decoding import Ranked, decode, decode_best
from squeezed_kernels.finite import all_finite
from squeezed_kernels.memory import centroid_dtype, empty_table
from squeezed_kernels.reference import REDUCTIONS, capped, causal_mask, group_heads, times
from squeezed_kernels.sampling import attend_weighted, sample_moments

__all__ = [
    "REDUCTIONS",
    "Ranked",
    "all_finite",
    "assign",
    "attend",
    "attend_groups",
    "attend_weighted",
    "backends",
    "capped",
    "causal_mask",
    "centroid_dtype",
    "children",
    "collisions",
    "compile_all",
    "decode",
    "decode_best",
    "empty_table",
    "group_heads",
    "keep_best",
    "label_least",
    "label_order",
    "label_sums",
    "lookup",
    "lookup_codes",
    "merge",
    "own_products",
    "resolve_backend",
    "sample_moments",
    "take_rows",
    "times",
]
