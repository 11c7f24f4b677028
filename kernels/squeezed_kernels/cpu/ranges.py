"""Ranges of rows from the groups that are kept."""

import numba
import numpy as np

from squeezed_kernels.cpu.jit import exact, inner, pointer


@inner
def _add_range(starts, before, first, found, begin, end):
    """Appends the rows ``begin`` to ``end`` of the source whose first range is number ``first``, or lengthens
    its last range by them; returns the number of ranges."""
    if end <= begin:
        return found
    if found > first and starts[found - 1] + before[found] - before[found - 1] == begin:
        before[found] += end - begin
        return found
    starts[found] = begin
    before[found + 1] = before[found] + end - begin
    return found + 1


@inner
def ranges(keep, offsets, total):
    """Ranges of kept rows, adjacent ones joined: ``starts``, ``before`` and ``first`` of a plan.

    ``keep [B, H, T, C]`` bool, ``offsets [H, C + 1]``, or empty where each group is one row; each source ends
    with the rows from ``offsets[h, C]`` to ``total``, the window.
    """
    batch, heads, blocks, groups = keep.shape
    single = len(offsets) == 0
    room = batch * heads * blocks * (groups // 2 + 2)
    starts, before = np.empty(room, np.int64), np.empty(room + 1, np.int64)
    first = np.zeros(batch * heads * blocks + 1, np.int64)
    before[0] = 0
    for source in range(len(first) - 1):
        t, h, b = source % blocks, source // blocks % heads, source // blocks // heads
        mine, found, c = keep[b, h, t], first[source], 0
        while c < groups:
            if not mine[c]:
                c += 1
                continue
            kept = c
            while c < groups and mine[c]:
                c += 1
            begin = np.int64(kept if single else offsets[h, kept])
            end = np.int64(c if single else offsets[h, c])
            found = _add_range(starts, before, first[source], found, begin, end)
        begin = np.int64(groups if single else offsets[h, groups])
        first[source + 1] = _add_range(starts, before, first[source], found, begin, total)
    found = first[-1]
    return starts[:found], before[: found + 1], first


@inner
def ranges_at(keep, shape, offsets, total):
    """``ranges`` for addresses of ``keep``, whose shape is ``shape``, and of int32 ``offsets``.

    0 in place of ``keep``: all rows; 0 in place of ``offsets``: each group is one row.
    """
    batch, heads, blocks, groups = shape
    if keep == 0:
        sources = batch * heads * blocks
        number = np.arange(sources + 1)
        return np.zeros(sources, np.int64), total * number, number
    ends = numba.carray(pointer(offsets), (heads if offsets else 0, groups + 1), np.int32)
    return ranges(numba.carray(pointer(keep), shape, np.bool_), ends, total)


@exact
def expand(keep, offsets, out):
    """``reference.children``: sets the finer groups inside kept groups in ``out [B, H, T, finer]``."""
    batch, heads, blocks, groups = keep.shape
    for b in range(batch):
        for h in range(heads):
            for t in range(blocks):
                for c in range(groups):
                    for fine in range(offsets[h, c], offsets[h, c + 1]):
                        out[b, h, t, fine] = keep[b, h, t, c]
