"""Triton kernels of attention over ranges of rows: a work list, its attention in equal shares, the merge.

As in ``cpu_plan``: a *source* is one (batch row, KV head, block of query tokens); an *item* is a source and
up to ``sub`` of its query tokens, for all heads of the group. Program p of P takes rows ``p / P`` to
``(p + 1) / P`` of the rows of all items together, whichever items they belong to, so heads with very unequal
shares keep all programs equally busy. The list is built on the device and the grid does not depend on it:
nothing waits for the host, and a CUDA graph can replay the whole step. The part of item i by program p lies
in slot ``p + i``.
"""

import triton
import triton.language as tl

from squeezed_kernels.triton.common import (
    LN2,
    LOG2E,
    block_tokens,
    capped,
    last_not_above,
    product,
)


@triton.jit
def list_ranges(
    keep, offsets, starts, before, ranges, rows,
    clusters, total, heads, blocks, room, SINGLE: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Work list of one source: its kept, not empty groups and the window, as ranges of rows.

    ``keep [sources, C]`` bytes, ``offsets [H, C + 1]`` (not read if groups are ``SINGLE`` rows). Writes
    ``starts [sources, room]``, ``before [sources, room + 1]``, and their lengths ``ranges`` and ``rows``.
    """
    source = tl.program_id(0).to(tl.int64)
    head = source // blocks % heads
    starts += source * room
    before += source * (room + 1)
    offsets += head * (clusters + 1)
    found = tl.zeros([], tl.int32)
    counted = tl.zeros([], tl.int32)
    for first in range(0, clusters, BLOCK_C):
        c = first + tl.arange(0, BLOCK_C)
        inside = c < clusters
        kept = tl.load(keep + source * clusters + c, mask=inside, other=0) != 0
        if SINGLE:
            low, high = c, c + 1
        else:
            low = tl.load(offsets + c, mask=inside, other=0).to(tl.int32)
            high = tl.load(offsets + c + 1, mask=inside, other=0).to(tl.int32)
        size = tl.where(kept, high - low, 0)
        used = (size > 0).to(tl.int32)
        place = found + tl.cumsum(used, 0) - used
        tl.store(starts + place, low, mask=used > 0)
        tl.store(before + place, counted + tl.cumsum(size, 0) - size, mask=used > 0)
        found += tl.sum(used, 0)
        counted += tl.sum(size, 0)
    if SINGLE:
        window = clusters
    else:
        window = tl.load(offsets + clusters).to(tl.int32)
    if total > window:
        tl.store(starts + found, window)
        tl.store(before + found, counted)
        found += 1
        counted += total - window
    tl.store(before + found, counted)
    tl.store(ranges + source, found)
    tl.store(rows + source, counted)


@triton.jit
def add_up(rows, work, items, blocks, block, sub, subs, length, BLOCK: tl.constexpr):
    """``work[i]``: rows of all items before item i, int64 ``[items + 1]``. One program."""
    counted = tl.zeros([], tl.int64)
    for first in range(0, items, BLOCK):
        item = first + tl.arange(0, BLOCK)
        low, high = block_tokens(item // subs, item % subs, blocks, block, sub, length)
        used = (item < items) & (high > low)
        size = tl.load(rows + item // subs, mask=used, other=0).to(tl.int64)
        tl.store(work + item, counted + tl.cumsum(size, 0) - size, mask=item < items)
        counted += tl.sum(size, 0)
    tl.store(work + items, counted)


# Sizes of 1 would become constants, on which Triton 3.6 fails where all are 1 (its coalescing pass).
@triton.jit(do_not_specialize=["items", "heads", "key_heads", "groups", "length", "blocks", "subs"])
def attend_share(
    query, keys, values, starts, before, ranges, work, out, lse,
    scale, cap, items, heads, key_heads, groups, length, total, blocks, block, sub, subs, room,
    D: tl.constexpr, CAP: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Attention of one program's share of the rows.

    ``query [B, H, G, L, D]``, ``keys, values [key_heads, N, D]``. Writes ``out [items + P, BLOCK_Q, D]`` and
    the natural log-sum-exp ``lse [items + P, BLOCK_Q]``.
    """
    program = tl.program_id(0).to(tl.int64)
    programs = tl.num_programs(0)
    all_rows = tl.load(work + items)
    place = all_rows * program // programs
    end = all_rows * (program + 1) // programs
    q = tl.arange(0, BLOCK_Q)
    n = tl.arange(0, BLOCK_N)
    d = tl.arange(0, BLOCK_D)
    item = last_not_above(work, items, place)
    while place < end:
        item_place = tl.load(work + item)
        stop = tl.minimum(end, tl.load(work + item + 1)) - item_place
        here = (place - item_place).to(tl.int32)
        stop32 = stop.to(tl.int32)
        source = (item // subs).to(tl.int64)
        low, high = block_tokens(source, item % subs, blocks, block, sub, length)
        tokens = tl.maximum(high - low, 1)
        row = (source // blocks * groups + q // tokens) * length + low + q % tokens
        used = (q < groups * tokens)[:, None] & (d < D)[None, :]
        mine = tl.load(query + row[:, None] * D + d[None, :], mask=used, other=0.0)
        head = source // blocks % key_heads
        top = tl.full([BLOCK_Q], float("-inf"), tl.float32)
        weight_sum = tl.zeros([BLOCK_Q], tl.float32)
        sums = tl.zeros([BLOCK_Q, BLOCK_D], tl.float32)
        my_starts = starts + source * room
        my_before = before + source * (room + 1)
        count = tl.load(ranges + source)
        j = last_not_above(my_before, count, here)
        for first in range(here, stop32, BLOCK_N):
            # Ranges are not empty, so these places lie in the next BLOCK_N ranges at most.
            x = first + n
            live = x < stop32
            ends = tl.load(my_before + j + 1 + n, mask=j + 1 + n < count, other=2147483647)
            which = j + tl.sum((ends[None, :] <= x[:, None]).to(tl.int32), axis=1)
            begin = tl.load(my_starts + which, mask=live, other=0)
            at = begin + x - tl.load(my_before + which, mask=live, other=0)
            address = (head * total + at)[:, None] * D + d[None, :]
            inside = live[:, None] & (d < D)[None, :]
            key = tl.load(keys + address, mask=inside, other=0.0)
            value = tl.load(values + address, mask=inside, other=0.0)
            logits = product(mine, tl.trans(key), PRECISION) * scale
            if CAP:
                logits = capped(logits, cap)
            logits = tl.where(live[None, :], logits * LOG2E, float("-inf"))
            high_now = tl.maximum(top, tl.max(logits, axis=1))
            base = tl.where(high_now == float("-inf"), 0.0, high_now)
            factor = tl.exp2(top - base)
            weights = tl.exp2(logits - base[:, None])
            weight_sum = weight_sum * factor + tl.sum(weights, axis=1)
            if (
                PRECISION == "tf32"
            ):  # 16-bit values: weights of their type, as their instructions want
                weights = weights.to(value.dtype)
            sums = sums * factor[:, None] + product(weights, value, PRECISION)
            top = high_now
            j = tl.max(tl.where(live, which, 0), axis=0)
        divisor = tl.where(weight_sum > 0, weight_sum, 1.0)
        slot = program + item
        part = out + (slot * BLOCK_Q + q)[:, None] * D + d[None, :]
        tl.store(part, sums / divisor[:, None], mask=used)
        tl.store(lse + slot * BLOCK_Q + q, (top + tl.log2(divisor)) * LN2)
        place = item_place + stop
        item += 1
        # Items of no rows have no part: go on with the item that the next place lies in.
        if place < end:
            item = last_not_above(work, items, place)


@triton.jit
def merge_parts(
    parts, part_lse, work, out, lse, items, groups, length, blocks, block, sub, subs, programs,
    D: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """Merges the parts of one query of one item, by the programs that worked on it."""
    item = tl.program_id(0).to(tl.int64)
    q = tl.program_id(1)
    source = item // subs
    low, high = block_tokens(source, item % subs, blocks, block, sub, length)
    tokens = high - low
    if q < groups * tokens:
        all_rows = tl.load(work + items)
        begin, stop = tl.load(work + item), tl.load(work + item + 1)
        safe = tl.maximum(all_rows, 1)
        first = ((begin + 1) * programs - 1) // safe
        last = tl.where(stop > begin, (stop * programs - 1) // safe, first - 1)
        d = tl.arange(0, BLOCK_D)
        top = tl.full([], float("-inf"), tl.float32)
        weight_sum = tl.zeros([], tl.float32)
        sums = tl.zeros([BLOCK_D], tl.float32)
        for start in range(first, last + 1, BLOCK_P):
            program = start + tl.arange(0, BLOCK_P)
            # A program whose share is empty wrote nothing.
            mine = (program <= last) & (
                all_rows * program // programs < all_rows * (program + 1) // programs
            )
            slot = (program + item) * BLOCK_Q + q
            here = tl.load(part_lse + slot, mask=mine, other=float("-inf"))
            high_now = tl.maximum(top, tl.max(here, axis=0))
            base = tl.where(high_now == float("-inf"), 0.0, high_now)
            weights = tl.exp(here - base)
            factor = tl.exp(top - base)
            inside = mine[:, None] & (d < D)[None, :]
            part = tl.load(parts + slot[:, None] * D + d[None, :], mask=inside, other=0.0)
            sums = sums * factor + tl.sum(part * weights[:, None], axis=0)
            weight_sum = weight_sum * factor + tl.sum(weights, axis=0)
            top = high_now
        divisor = tl.where(weight_sum > 0, weight_sum, 1.0)
        row = (source // blocks * groups + q // tokens) * length + low + q % tokens
        tl.store(out + row * D + d, sums / divisor, mask=d < D)
        tl.store(lse + row, top + tl.log(divisor))


@triton.jit
def merge_two(
    first, first_lse, second, second_lse, out, lse, D: tl.constexpr, BLOCK_D: tl.constexpr
):
    """Attention over the union of two sets of keys, one query a program."""
    row = tl.program_id(0).to(tl.int64)
    d = tl.arange(0, BLOCK_D)
    a, b = tl.load(first_lse + row), tl.load(second_lse + row)
    top = tl.maximum(a, b)
    base = tl.where(top == float("-inf"), 0.0, top)
    x, y = tl.exp(a - base), tl.exp(b - base)
    divisor = tl.where(x + y > 0, x + y, 1.0)
    left = tl.load(first + row * D + d, mask=d < D, other=0.0)
    right = tl.load(second + row * D + d, mask=d < D, other=0.0)
    tl.store(out + row * D + d, (left * x + right * y) / divisor, mask=d < D)
    tl.store(lse + row, top + tl.log(divisor))
