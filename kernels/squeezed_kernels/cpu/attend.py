"""Attention over kept rows."""

import functools
from typing import Any

import numba
import numpy as np

from squeezed_kernels.cpu.jit import compile_task, exact, inner, part_of_caller, pointer
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp
from squeezed_kernels.cpu.plan import (
    ITEM_QUERIES,
    Plan,
    copy_queries,
    count_blocks,
    count_spans,
    divide,
    group_queries,
    last_not_above,
    next_item,
    rows_of,
    spans_of,
    take_runs,
    tokens_of,
)
from squeezed_kernels.cpu.ranges import ranges_at
from squeezed_kernels.cpu.task import (
    FIELDS,
    SPANS,
    finish_span,
    floats,
    put,
    put_work,
    share,
    take_span,
    work_of,
)
from squeezed_kernels.cpu.tile import (
    MANY,
    TILE,
    fill_logits,
    fill_logits_of_one,
    prefetch_rows,
    softmax,
    weigh,
    weigh_one,
)
from squeezed_kernels.cpu.tile_many import (
    copy_rows,
    fill_logits_of_many,
    padded,
    softmax_of_many,
    turn_queries,
    weigh_many,
)


@part_of_caller
def attend_span(query, keys, values, plan, cap, span, spans, out, lse):
    """Attention of one span.

    ``query [B, H, G, L, D]`` float32, scaled. ``keys, values [K, N, D]``: K is H, shared by the batch, or
    B * H. ``out [items + spans, G * sub, D]`` and ``lse [items + spans, G * sub]`` receive the parts.
    """
    groups, size = query.shape[2], query.shape[4]
    blocks = count_blocks(plan)[0]
    place, end = plan.work[-1] * span // spans, plan.work[-1] * (span + 1) // spans
    room = groups * plan.sub
    many, wide, deep = room >= MANY, padded(room), padded(size)
    local, logits = np.empty((room, size), np.float32), np.empty((room, TILE), np.float32)
    top, total = np.empty(wide, np.float32), np.empty(wide, np.float32)
    rows, following = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    starts, next_starts = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    lengths, next_lengths = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    columns = (size, wide, deep, TILE) if many else (0, 0, 0, 0)
    turned = np.empty((columns[0], columns[1]), np.float32)
    across = np.empty((columns[3], columns[1]), np.float32)
    own_keys = np.empty((columns[3], columns[0]), np.float32)
    own_values = np.zeros((columns[3], columns[2]), np.float32)
    weighed = np.empty((room, columns[2]), np.float32)
    factor, base = np.empty(wide, np.float32), np.empty(wide, np.float32)
    item = last_not_above(plan.work, place)
    while place < end:
        source, low, high = tokens_of(plan, item)
        head = source // blocks % keys.shape[0]
        slot = span + item
        used = copy_queries(query, source, blocks, low, high, local)
        mine, part, tile = local[:used], out[slot, :used], logits[:used]
        part[:] = 0
        top[:] = NEG_INF
        total[:] = 0
        if used >= MANY:
            turn_queries(mine, turned)
            weighed[:] = 0
        # From places among the rows of all items to places among the rows of all sources.
        shift = plan.before[plan.first[source]] - plan.work[item]
        stop = min(end, plan.work[item + 1]) + shift
        here = place + shift
        place = stop - shift
        j = last_not_above(plan.before, here)
        count, runs, j = take_runs(plan, j, here, stop, starts, lengths)
        rows_of(starts, lengths, runs, rows)
        while count:
            here += count
            ahead, runs_ahead, j = take_runs(plan, j, here, stop, next_starts, next_lengths)
            if used == 1:
                prefetch_rows(values, head, starts, 0, runs)
                fill_logits_of_one(mine, keys, head, starts, lengths, runs, cap, tile)
                softmax(tile, count, top, total, part)
                prefetch_rows(keys, head, next_starts, 0, runs_ahead)
                weigh_one(tile, values, head, starts, lengths, runs, part)
            elif used >= MANY:
                copy_rows(keys, head, rows, count, own_keys)
                copy_rows(values, head, rows, count, own_values)
                fill_logits_of_many(own_keys, turned, count, cap, across)
                softmax_of_many(across, count, top, total, factor, base, weighed[:used])
                weigh_many(across, own_values, count, weighed[:used])
                rows_of(next_starts, next_lengths, runs_ahead, rows)
            else:
                rows_of(next_starts, next_lengths, runs_ahead, following)
                following[ahead:count] = rows[0]  # nothing more to ask for
                fill_logits(mine, keys, head, rows, count, cap, values, rows, tile)
                softmax(tile, count, top, total, part)
                weigh(tile, keys, values, head, rows, count, following, part)
                rows, following = following, rows
            starts, next_starts = next_starts, starts
            lengths, next_lengths = next_lengths, lengths
            count, runs = ahead, runs_ahead
        if used >= MANY:
            part[:] = weighed[:used, :size]
        for q in range(used):
            lse[slot, q] = NEG_INF if top[q] == NEG_INF else top[q] + np.log(total[q])
            if total[q] > 0:
                for d in range(size):
                    part[q, d] /= total[q]
        item = next_item(plan.work, item)


@inner
def merge_spans(plan, spans, out, lse, whole, whole_lse):
    """Merges the parts of every item into ``whole [B, H, G, L, D]`` and ``whole_lse [B, H, G, L]``."""
    kv_heads, groups, _, size = whole.shape[1:]
    blocks = count_blocks(plan)[0]
    for item in range(len(plan.work) - 1):
        source, low, high = tokens_of(plan, item)
        b, h = source // blocks // kv_heads, source // blocks % kv_heads
        span0, span1 = spans_of(plan.work, item, spans)
        for g in range(groups):
            for token in range(low, high):
                q = g * (high - low) + token - low
                top, total = NEG_INF, ZERO
                for span in range(span0, span1):
                    top = max(top, lse[span + item, q])
                whole[b, h, g, token] = 0
                if top > NEG_INF:
                    for span in range(span0, span1):
                        weight = exp(lse[span + item, q] - top)
                        total += weight
                        for d in range(size):
                            whole[b, h, g, token, d] += weight * out[span + item, q, d]
                    for d in range(size):
                        whole[b, h, g, token, d] /= total
                    top += np.log(total)
                whole_lse[b, h, g, token] = top


@part_of_caller
def _attend_body(fields, stored):
    plan, cap, query, at = work_of(fields)
    table = (fields[at], fields[at + 1], fields[at + 2])
    keys = numba.carray(pointer(fields[at + 3]), table, stored)
    values = numba.carray(pointer(fields[at + 4]), table, stored)
    slots = (fields[at + 6], fields[at + 7], fields[at + 8])
    out = numba.carray(pointer(fields[at + 5]), slots, np.float32)
    lse = floats(fields, at + 9)
    spans, span = fields[SPANS], take_span(fields)
    while span < spans:
        attend_span(query, keys, values, plan, cap, span, spans, out, lse)
        finish_span(fields)
        span = take_span(fields)


@functools.cache
def attend_task(stored: Any) -> Any:
    """The task of ``attend`` for keys and values of a stored type."""

    def task(data):
        _attend_body(numba.carray(data, (FIELDS,)), stored)

    return compile_task(task)


@exact
def attend(team, query, heads, scale, cap, table, keep, shape, offsets, block):
    """Attention over the rows of kept groups.

    ``query``: a ``Query``. ``heads``: KV heads. ``table``: addresses of keys and values ``[K, N, D]``, K and
    N; K is ``heads``, shared by the batch, or ``B * heads``. ``keep``, its ``shape`` and ``offsets``: as in
    ``ranges_at``.
    Returns the output ``[B, H, G, L, D]`` and its log-sum-exp ``[B, H, G, L]``.
    """
    keys, values, count, total = table
    starts, before, first = ranges_at(keep, shape, offsets, total)
    grouped = group_queries(query, heads, scale)
    groups, length, size = grouped.shape[2:]
    sub = max(1, min(block, ITEM_QUERIES // groups))
    plan = Plan(starts, before, first, before, length, block, sub)
    plan = Plan(starts, before, first, divide(plan), length, block, sub)
    spans = count_spans(team, plan.work[-1], 2 * groups * sub * size)
    slots = len(plan.work) - 1 + spans
    out = np.empty((slots, groups * sub, size), np.float32)
    lse = np.empty((slots, groups * sub), np.float32)
    fields = np.empty(FIELDS, np.int64)
    at = put_work(fields, spans, plan, cap, grouped)
    fields[at], fields[at + 1], fields[at + 2] = count, total, size
    fields[at + 3], fields[at + 4] = keys, values
    put(fields, put(fields, at + 5, out), lse)
    share(team, fields, (plan, grouped, out, lse))
    whole, whole_lse = np.empty_like(grouped), np.empty(grouped.shape[:4], np.float32)
    merge_spans(plan, spans, out, lse, whole, whole_lse)
    return whole, whole_lse


@exact
def merge(first, second, rows, size):
    """Attention over the union of two sets of keys: ``first`` and ``second`` are the addresses of an output
    ``[rows, size]`` and its log-sum-exp ``[rows]``, both float32."""
    out, lse = np.empty((rows, size), np.float32), np.empty(rows, np.float32)
    a = numba.carray(pointer(first[0]), (rows, size), np.float32)
    b = numba.carray(pointer(second[0]), (rows, size), np.float32)
    a_lse = numba.carray(pointer(first[1]), (rows,), np.float32)
    b_lse = numba.carray(pointer(second[1]), (rows,), np.float32)
    for row in range(rows):
        top = max(a_lse[row], b_lse[row])
        base = ZERO if top == NEG_INF else top
        x, y = exp(a_lse[row] - base), exp(b_lse[row] - base)
        lse[row] = base + np.log(x + y)
        total = x + y if top > NEG_INF else np.float32(1)
        x, y = x / total, y / total
        for d in range(size):
            out[row, d] = x * a[row, d] + y * b[row, d]
    return out, lse
