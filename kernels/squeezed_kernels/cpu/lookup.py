"""The centroid lookup of few queries, a token of each head: log scores of clusters.

Rows of all sources are cut into equal shares, whatever the heads. ``lookup_many`` takes many queries.
"""

import functools
from typing import Any

import numba
import numpy as np

from squeezed_kernels.cpu.jit import compile_task, exact, inner, inner_sums, part_of_caller, pointer
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp, log
from squeezed_kernels.cpu.plan import (
    ITEM_QUERIES,
    Plan,
    copy_queries,
    count_blocks,
    count_kv_heads,
    count_spans,
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
    TILE,
    fill_logits,
    fill_logits_of_one,
    prefetch_rows,
)

SCORE, FOLD, FINISH = 0, 1, 2


@inner_sums
def _add_to_lse(logits, weights, count, top, total):
    """Adds a tile to every query's log-sum-exp over keys; clusters of weight 0 get the logit ``-inf``."""
    for q in range(logits.shape[0]):
        high = top[q]
        for j in range(count):
            logit = logits[q, j] if weights[j] > 0 else NEG_INF
            logits[q, j] = logit
            high = max(high, logit)
        if high == NEG_INF:
            continue
        part = ZERO
        for j in range(count):
            part += weights[j] * exp(logits[q, j] - high)
        total[q] = total[q] * exp(top[q] - high) + part
        top[q] = high


@part_of_caller
def score_span(query, centroids, counts, plan, k, cap, span, spans, logits, lse):
    """First half of the lookup of one span: logits of the k-th ``sub`` tokens of every source's block.

    ``plan.work`` is divided among sources, not items. ``logits [G * sub, rows of all sources]``;
    ``lse [sources + spans, G * sub]`` receives the parts of each query's log-sum-exp over keys.
    """
    groups, size = query.shape[2], query.shape[4]
    blocks, subs = count_blocks(plan)
    place, end = plan.work[-1] * span // spans, plan.work[-1] * (span + 1) // spans
    room = groups * plan.sub
    local, scratch = np.empty((room, size), np.float32), np.empty((room, TILE), np.float32)
    top, total = np.empty(room, np.float32), np.empty(room, np.float32)
    rows, following = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    starts, next_starts = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    lengths, next_lengths = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    weights = np.empty(TILE, np.float32)
    source = last_not_above(plan.work, place)
    while place < end:
        _, low, high = tokens_of(plan, source * subs + k)
        head = source // blocks % centroids.shape[0]
        used = copy_queries(query, source, blocks, low, high, local)
        mine, tile = local[:used], scratch[:used]
        top[:used] = NEG_INF
        total[:used] = 0
        stop = min(end, plan.work[source + 1])
        j = last_not_above(plan.before, place)
        count, runs, j = take_runs(plan, j, place, stop, starts, lengths)
        rows_of(starts, lengths, runs, rows)
        while count:
            ahead, runs_ahead, j = take_runs(
                plan, j, place + count, stop, next_starts, next_lengths
            )
            rows_of(next_starts, next_lengths, runs_ahead, following)
            following[ahead:count] = rows[0]  # nothing more to ask for
            if used == 1:
                prefetch_rows(centroids, head, next_starts, 0, runs_ahead)
                fill_logits_of_one(mine, centroids, head, starts, lengths, runs, cap, tile)
            else:
                fill_logits(mine, centroids, head, rows, count, cap, centroids, following, tile)
            for c in range(count):
                weights[c] = counts[head, rows[c]]
            _add_to_lse(tile, weights, count, top, total)
            for q in range(used):
                for c in range(count):
                    logits[q, place + c] = tile[q, c]
            rows, following = following, rows
            starts, next_starts = next_starts, starts
            lengths, next_lengths = next_lengths, lengths
            place += count
            count, runs = ahead, runs_ahead
        for q in range(used):
            lse[span + source, q] = NEG_INF if top[q] == NEG_INF else top[q] + np.log(total[q])
        source = next_item(plan.work, source)


@inner
def _whole_lse(work, source, spans, lse, used, out):
    """Every query's log-sum-exp from the spans' parts; 0 where there is none: it is to be subtracted."""
    low, high = spans_of(work, source, spans)
    for q in range(used):
        top, total = NEG_INF, ZERO
        for span in range(low, high):
            top = max(top, lse[span + source, q])
        for span in range(low, high):
            if top > NEG_INF:
                total += exp(lse[span + source, q] - top)
        out[q] = ZERO if top == NEG_INF else top + np.log(total)


@inner_sums
def fold(logits, place, count, lse, skip, low, high, first, top, total, base):
    """Adds the shares of queries ``low`` to ``high`` to the running log-sum-exp of a tile's clusters;
    ``first``: there is nothing in it yet."""
    if (
        first and high == low + 1 and not skip[low]
    ):  # decoding with a head of its own: nothing to add up
        for c in range(count):
            top[c] = logits[low, place + c] - lse[low]
            total[c] = ZERO if top[c] == NEG_INF else np.float32(1)
        return
    for c in range(count):
        base[c] = NEG_INF if first else top[c]
    for q in range(low, high):
        if not skip[q]:
            for c in range(count):
                base[c] = max(base[c], logits[q, place + c] - lse[q])
    for c in range(count):
        highest = base[c]
        base[c] = ZERO if highest == NEG_INF else highest
        total[c] = ZERO if first else total[c] * exp(top[c] - base[c])
        top[c] = highest
    for q in range(low, high):
        if not skip[q]:
            for c in range(count):
                total[c] += exp(logits[q, place + c] - lse[q] - base[c])


@part_of_caller
def fold_span(valid, plan, k, span, spans, groups, logits, lse, top, total):
    """Second half of the lookup of one span: adds the k-th tokens' shares to each cluster's.

    ``valid [B, L]``: tokens that count. ``top, total [1 or G, rows of all sources]``: running log-sum-exp
    over query tokens, and over query heads if there is one row only.
    """
    blocks, subs = count_blocks(plan)
    place, end = plan.work[-1] * span // spans, plan.work[-1] * (span + 1) // spans
    kv_heads = count_kv_heads(plan, valid)
    whole, base = np.empty(groups * plan.sub, np.float32), np.empty(TILE, np.float32)
    skip = np.zeros(groups * plan.sub, np.bool_)
    source = last_not_above(plan.work, place)
    while place < end:
        _, low, high = tokens_of(plan, source * subs + k)
        tokens = high - low
        used = groups * tokens
        _whole_lse(plan.work, source, spans, lse, used, whole)
        for q in range(used):
            skip[q] = not valid[source // blocks // kv_heads, low + q % tokens]
        stop = min(end, plan.work[source + 1])
        together = used // top.shape[0]
        while place < stop:
            count = min(TILE, stop - place)
            for row in range(top.shape[0]):
                low, high = row * together, (row + 1) * together
                tops, totals = top[row, place : place + count], total[row, place : place + count]
                fold(logits, place, count, whole, skip, low, high, k == 0, tops, totals, base)
            place += count
        source = next_item(plan.work, source)


@inner
def _log_mean(top, total, divisor, first, out):
    """``out = max(out, top + log(total) - divisor)``, or the first of them; contiguous, to become vectors."""
    for i in range(len(out)):
        here = top[i] + log(total[i]) - divisor if total[i] > 0 else NEG_INF
        out[i] = here if first else max(out[i], here)


@part_of_caller
def finish_scores(valid, plan, span, spans, groups, top, total, out):
    """Means from sums, of one span of the sources: ``out [sources, C]`` log scores, ``-inf`` for clusters
    that are not in the plan.

    ``valid [B, L]``: tokens that the mean is over. One row of ``top``: mean over heads; more: their maximum.
    """
    blocks, kv_heads = count_blocks(plan)[0], count_kv_heads(plan, valid)
    together = groups // top.shape[0]
    sources = out.shape[0]
    for source in range(sources * span // spans, sources * (span + 1) // spans):
        if plan.before[plan.first[source + 1]] - plan.before[plan.first[source]] < out.shape[1]:
            out[source] = NEG_INF
        tokens = 0
        low = source % blocks * plan.block
        for token in range(low, min(plan.length, low + plan.block)):
            tokens += valid[source // blocks // kv_heads, token]
        divisor = np.float32(np.log(max(1, tokens) * together))
        for j in range(plan.first[source], plan.first[source + 1]):
            low, high = plan.before[j], plan.before[j + 1]
            part = out[source, plan.starts[j] : plan.starts[j] + high - low]
            for row in range(top.shape[0]):
                _log_mean(top[row, low:high], total[row, low:high], divisor, row == 0, part)


@part_of_caller
def _lookup_body(fields, stored):
    plan, cap, query, at = work_of(fields)
    phase, k, groups = fields[at], fields[at + 1], fields[at + 2]
    table = (fields[at + 4], fields[at + 5], fields[at + 6])
    centroids = numba.carray(pointer(fields[at + 3]), table, stored)
    counts = numba.carray(pointer(fields[at + 7]), table[:2], np.int32)
    valid = numba.carray(pointer(fields[at + 8]), (fields[at + 9], fields[at + 10]), np.bool_)
    logits, lse = floats(fields, at + 11), floats(fields, at + 14)
    top, total = floats(fields, at + 17), floats(fields, at + 20)
    out = floats(fields, at + 23)
    spans, span = fields[SPANS], take_span(fields)
    while span < spans:
        if phase == SCORE:
            score_span(query, centroids, counts, plan, k, cap, span, spans, logits, lse)
        elif phase == FOLD:
            fold_span(valid, plan, k, span, spans, groups, logits, lse, top, total)
        else:
            finish_scores(valid, plan, span, spans, groups, top, total, out)
        finish_span(fields)
        span = take_span(fields)


@functools.cache
def lookup_task(stored: Any) -> Any:
    """The task of ``lookup`` for centroids of a stored type."""

    def task(data):
        _lookup_body(numba.carray(data, (FIELDS,)), stored)

    return compile_task(task)


@exact
def lookup(team, query, scale, cap, centroids, counts, shape, valid, candidates, block, mean, room):
    """Log scores ``[sources, C]`` of clusters; what is no candidate gets ``-inf``.

    ``query``: a ``Query``. ``centroids``, ``counts``: addresses of ``[H, C, D]`` and int32 ``[H, C]``.
    ``shape``: B, H, T and C. ``valid``: address of bool ``[B, L]``, the query tokens that count, or 0: all.
    ``candidates``: address of bool ``[B, H, T, C]``, or 0: all. ``mean`` over query heads, or their maximum.
    ``room``: logits held at once; a block's tokens are taken in as many passes as that asks for.
    """
    batch, heads, _, clusters = shape
    starts, before, first = ranges_at(candidates, shape, 0, clusters)
    grouped = group_queries(query, heads, scale)
    groups, length, size = grouped.shape[2:]
    if valid:
        seen = numba.carray(pointer(valid), (batch, length), np.bool_)
    else:
        seen = np.ones((batch, length), np.bool_)
    places = before[-1]
    sub = max(1, min(block, ITEM_QUERIES // groups, room // max(1, groups * places)))
    plan = Plan(starts, before, first, before[first], length, block, sub)
    spans = count_spans(team, places, groups * sub * size)
    logits = np.empty((groups * sub, places), np.float32)
    lse = np.empty((len(first) + spans, groups * sub), np.float32)
    top = np.empty((1 if mean else groups, places), np.float32)
    total = np.empty_like(top)
    out = np.empty((len(first) - 1, clusters), np.float32)
    fields = np.empty(FIELDS, np.int64)
    at = put_work(fields, spans, plan, cap, grouped)
    fields[at + 2] = groups
    fields[at + 3], fields[at + 4], fields[at + 5], fields[at + 6] = (
        centroids,
        heads,
        clusters,
        size,
    )
    fields[at + 7] = counts
    put(fields, at + 8, seen)
    put(fields, put(fields, at + 11, logits), lse)
    put(fields, put(fields, put(fields, at + 17, top), total), out)
    held = (plan, grouped, seen, logits, lse, top, total, out)
    for k in range(count_blocks(plan)[1]):
        for phase in (SCORE, FOLD):
            fields[at], fields[at + 1] = phase, k
            share(team, fields, held)
    fields[at], fields[SPANS] = FINISH, min(spans, len(out))
    share(team, fields, held)
    return out
