"""A token's whole step on one layer in one call: choice, kept rows, own tokens, merge.

Each part is the loop that a longer pass calls by itself, so the numbers are the same. Between two calls of a
real model all that Python does must come from memory again, which takes longer than the loops.
"""

import numba
import numpy as np

from squeezed_kernels.cpu.attend import attend, merge
from squeezed_kernels.cpu.choose import keep_best
from squeezed_kernels.cpu.jit import exact, inner, pointer
from squeezed_kernels.cpu.lookup import lookup


@inner
def _hold(arrays):
    """Numba frees an array after its last use; here is one, after all that goes by addresses."""
    return len(arrays)


@exact
def decode(team, query, heads, scale, cap, own, fixed, keep, groups, offsets):
    """Attention of a token over kept groups, the window and its own tokens.

    Args:
        team: for attention. query: a ``Query`` of one token each. heads: KV heads H.
        own, fixed: addresses of keys and values, how many tables of them there are (B * H, and H), and rows.
        keep: address of bool ``[B, H, C]``, or 0: all. groups: C. offsets: address of int32 ``[H, C + 1]``,
            or 0: each group is one row.

    Returns:
        The output ``[B * Hq, D]`` and its log-sum-exp ``[B * Hq]``, float32.
    """
    none = (query.batch, heads, 1, 0)
    shape = (query.batch, heads, 1, groups) if keep else none
    mine, mine_lse = attend(team, query, heads, scale, cap, own, 0, none, 0, 1)
    part, part_lse = attend(team, query, heads, scale, cap, fixed, keep, shape, offsets, 1)
    out, lse = merge(
        (part.ctypes.data, part_lse.ctypes.data),
        (mine.ctypes.data, mine_lse.ctypes.data),
        query.batch * query.heads,
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
        teams: for attention and lookup. ranked: addresses of log scores float32 ``[B, H, C]``, or 0, and of
            centroids ``[H, C, D]``. counts: address of int32 ``[H, C]``. shape: H and C. rows: keys to keep
            of each head. mean: over query heads, and not the highest. room: as of ``lookup``.

    Returns:
        As ``decode``, and the kept rows of each head, float32 ``[B, H]``.
    """
    heads, groups = shape
    batch = query.batch
    whole = (batch, heads, 1, groups)
    if ranked[0]:
        scores = numba.carray(pointer(ranked[0]), (batch * heads, groups), np.float32)
    else:
        scores = lookup(teams[1], query, scale, cap, ranked[1], counts, whole, 0, 0, 1, mean, room)
    sizes = numba.carray(pointer(counts), shape, np.int32)
    wanted = np.full((batch, heads, 1), rows)
    keep = np.empty(whole, np.bool_)
    keep_best(scores.reshape(whole), sizes, wanted, 0.0, keep)
    out, lse = decode(
        teams[0], query, heads, scale, cap, own, fixed, keep.ctypes.data, groups, offsets
    )
    kept = np.empty((batch, heads), np.float32)
    for b in range(batch):
        for h in range(heads):
            total = 0
            for c in range(groups):
                total += sizes[h, c] if keep[b, h, 0, c] else 0
            kept[b, h] = total
    return out, lse, kept
