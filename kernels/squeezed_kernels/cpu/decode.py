"""A token's whole step on one layer in one call: choice, kept rows, own tokens, merge.

Each part is the loop that a longer pass calls by itself, so the numbers are the same. Between two calls of a
real model all that Python does must come from memory again, which takes longer than the loops.
"""

import numba
import numpy as np

from squeezed_kernels.cpu.attend import attend, merge
from squeezed_kernels.cpu.choose import keep_best
from squeezed_kernels.cpu.jit import exact, pointer
from squeezed_kernels.cpu.lookup import lookup


@exact
def _hold(arrays):
    """Numba frees an array after its last use; here is one, after all that goes by addresses."""
    return len(arrays)


@exact
def decode(team, query, heads, scale, cap, own, fixed, keep, groups, offsets):
    """Attention of a token over kept groups, the window and its own tokens.

    Args:
        team: for attention. query: a ``Query`` of one conversation and one token. heads: KV heads.
        own, fixed: addresses of keys and values, KV heads, and rows. keep: address of bool ``[H, C]``, or 0:
            all. groups: C. offsets: address of int32 ``[H, C + 1]``, or 0: each group is one row.

    Returns:
        The output ``[Hq, D]`` and its log-sum-exp ``[Hq]``, float32.
    """
    none = (1, heads, 1, 0)
    shape = (1, heads, 1, groups) if keep else none
    mine, mine_lse = attend(team, query, heads, scale, cap, own, 0, none, 0, 1)
    part, part_lse = attend(team, query, heads, scale, cap, fixed, keep, shape, offsets, 1)
    out, lse = merge(
        (part.ctypes.data, part_lse.ctypes.data),
        (mine.ctypes.data, mine_lse.ctypes.data),
        query.heads,
        query.size,
    )
    _hold((mine, mine_lse, part, part_lse))
    return out, lse


@exact
def decode_best(
    teams, query, scale, cap, own, fixed, ranked, counts, offsets, shape, rows, mean, room
):
    """``decode`` over the best groups, which are chosen here.

    Args:
        teams: for attention and lookup. ranked: addresses of centroids ``[H, C, D]``, or 0, and of log scores
            float32 ``[H, C]``, or 0. counts: address of int32 ``[H, C]``. shape: H and C. rows: keys to keep
            of each head. mean: over query heads, and not the highest. room: as of ``lookup``.

    Returns:
        As ``decode``, and the kept rows of each head, float32 ``[H]``.
    """
    heads, groups = shape
    whole = (1, heads, 1, groups)
    if ranked[0]:
        scores = lookup(teams[1], query, scale, cap, ranked[0], counts, whole, 0, 0, 1, mean, room)
    else:
        scores = numba.carray(pointer(ranked[1]), shape, np.float32)
    sizes = numba.carray(pointer(counts), shape, np.int32)
    wanted = np.full((1, heads, 1), rows)
    keep = np.empty(whole, np.bool_)
    keep_best(scores.reshape(whole), sizes, wanted, 0.0, keep)
    out, lse = decode(
        teams[0], query, heads, scale, cap, own, fixed, keep.ctypes.data, groups, offsets
    )
    kept = np.zeros(heads, np.float32)
    for h in range(heads):
        total = 0
        for c in range(groups):
            total += sizes[h, c] if keep[0, h, 0, c] else 0
        kept[h] = total
    return out, lse, kept
