"""The centroid lookup of many queries: a user input, or a batch of them.

An item, a few query tokens of a source, meets all rows of the source at once, so that its logits stay in the
processor's cache, and each is exponentiated once. A tile's exponentials are kept beside their maximum; when
the query's sum over all tiles is known, its shares are a product away. What is too small for that, in the
eyes of all queries, is computed again in log space.
"""

import functools
from typing import Any

import numba
import numpy as np

from squeezed_kernels.cpu.jit import compile_task, exact, inner_sums, part_of_caller, pointer
from squeezed_kernels.cpu.lookup import fold
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp, log
from squeezed_kernels.cpu.plan import (
    ITEM_QUERIES,
    Plan,
    copy_queries,
    count_blocks,
    count_kv_heads,
    group_queries,
    rows_of,
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
from squeezed_kernels.cpu.tile import MANY, TILE, fill_logits
from squeezed_kernels.cpu.tile_many import (
    copy_rows,
    exponentiate,
    fill_logits_of_many,
    padded,
    turn_queries,
)

SCORE, FINISH = 0, 1
# Logits of an item that are held at once, in elements: a megabyte, what a thread has of the caches.
HELD = 1 << 18
# A sum of shares below this may have lost what counts: float32 ends at 1.2e-38.
SMALLEST = np.float32(1e-30)


@inner_sums
def _exponentiate(logits, weights, count, highest, base, top, total):
    """Turns a tile's logits ``[TILE, Q]`` into ``e ** (logit - highest)``, and adds it to every query's
    log-sum-exp over keys; clusters of weight 0 are left out. Vectors ``[Q]``; ``base`` is scratch."""
    queries = len(highest)
    for q in range(queries):
        highest[q] = NEG_INF
    for j in range(count):
        if not weights[j] > 0:
            for q in range(queries):
                logits[j, q] = NEG_INF
    exponentiate(logits, count, highest, base)
    for q in range(queries):
        high = max(top[q], highest[q])
        low = ZERO if high == NEG_INF else high
        total[q] *= exp(top[q] - low)
        top[q] = high
        base[q] = exp(highest[q] - low)
    for j in range(count):
        for q in range(queries):
            total[q] += weights[j] * base[q] * logits[j, q]


@inner_sums
def _share(powers, weights):
    """Sum of shares of a row: ``powers`` and ``weights`` of some queries."""
    found = ZERO
    for q in range(len(powers)):
        found += powers[q] * weights[q]
    return found


@part_of_caller
def score_item(query, centroids, counts, valid, plan, item, cap, lse, parts):
    """First half of the lookup: the item's sums of shares of every row of its source.

    ``lse [items, G * sub]`` receives its queries' log-sum-exp over keys, ``parts [subs * R, rows of all
    sources]`` the sums: R parts of the query heads are summed apart.
    """
    groups, size = query.shape[2], query.shape[4]
    blocks, subs = count_blocks(plan)
    source, low, high = tokens_of(plan, item)
    head = source // blocks % centroids.shape[0]
    member = source // blocks // count_kv_heads(plan, valid)
    begin, end = plan.before[plan.first[source]], plan.before[plan.first[source + 1]]
    tiles, used = (end - begin + TILE - 1) // TILE, groups * (high - low)
    wide = padded(used)
    local, turned = np.empty((used, size), np.float32), np.empty((size, wide), np.float32)
    keys, kept = np.empty((TILE, size), np.float32), np.empty((tiles, TILE, wide), np.float32)
    highest, base = np.empty((tiles, wide), np.float32), np.empty(wide, np.float32)
    top, total = np.full(wide, NEG_INF, np.float32), np.zeros(wide, np.float32)
    rows, starts = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    lengths, weights = np.empty(TILE, np.int64), np.empty(TILE, np.float32)
    copy_queries(query, source, blocks, low, high, local)
    turn_queries(local, turned)
    j, place = plan.first[source], begin
    for number in range(tiles):
        count, runs, j = take_runs(plan, j, place, end, starts, lengths)
        rows_of(starts, lengths, runs, rows)
        copy_rows(centroids, head, rows, count, keys)
        fill_logits_of_many(keys, turned, count, cap, kept[number])
        for c in range(count):
            weights[c] = counts[head, rows[c]]
        _exponentiate(kept[number], weights, count, highest[number], base, top, total)
        place += count
    for q in range(used):
        lse[item, q] = ZERO if top[q] == NEG_INF else top[q] + np.log(total[q])
    apart = len(parts) // subs
    together = used // apart
    for number in range(tiles):
        for q in range(used):
            seen = valid[member, low + q % (high - low)] and highest[number, q] > NEG_INF
            base[q] = exp(highest[number, q] - lse[item, q]) if seen else ZERO
        first = begin + number * TILE
        for row in range(apart):
            out = parts[item % subs * apart + row]
            from_q, to_q = row * together, (row + 1) * together
            for c in range(min(TILE, end - first)):
                out[first + c] = _share(kept[number, c, from_q:to_q], base[from_q:to_q])


@part_of_caller
def _tile_in_logs(query, centroids, valid, plan, source, head, rows, count, cap, lse, top, total):
    """A tile's sums of shares in log space, from the beginning: ``top, total [R, TILE]``."""
    groups, size = query.shape[2], query.shape[4]
    blocks, subs = count_blocks(plan)
    member = source // blocks // count_kv_heads(plan, valid)
    room = groups * plan.sub
    local, tile = np.empty((room, size), np.float32), np.empty((room, TILE), np.float32)
    skip, base = np.zeros(room, np.bool_), np.empty(TILE, np.float32)
    top[:] = NEG_INF
    total[:] = 0
    for item in range(source * subs, (source + 1) * subs):
        _, low, high = tokens_of(plan, item)
        used = copy_queries(query, source, blocks, low, high, local)
        for q in range(used):
            skip[q] = not valid[member, low + q % (high - low)]
        mine, together = local[:used], used // len(top)
        fill_logits(mine, centroids, head, rows, count, cap, centroids, rows, tile)
        for row in range(len(top)):
            from_q, to_q = row * together, (row + 1) * together
            tops, totals = top[row, :count], total[row, :count]
            fold(tile, 0, count, lse[item], skip, from_q, to_q, False, tops, totals, base)


@part_of_caller
def finish_source(query, centroids, counts, valid, plan, source, cap, lse, parts, out):
    """Second half: log scores of a source, ``out [sources * members, C]``, from the sums of its items;
    ``-inf`` for clusters that are not in the plan."""
    groups = query.shape[2]
    blocks, subs = count_blocks(plan)
    head = source // blocks % centroids.shape[0]
    batch_row = source // blocks // count_kv_heads(plan, valid)
    apart, members = len(parts) // subs, len(out) // (len(plan.first) - 1)
    each = apart // members  # parts of the query heads of which the highest counts
    begin, end = plan.before[plan.first[source]], plan.before[plan.first[source + 1]]
    mine = out[source * members : (source + 1) * members]
    if end - begin < mine.shape[1]:
        mine[:] = NEG_INF
    tokens = 0
    start = source % blocks * plan.block
    for token in range(start, min(plan.length, start + plan.block)):
        tokens += valid[batch_row, token]
    divisor = np.float32(np.log(max(1, tokens) * (groups // apart)))
    rows, starts = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    lengths = np.empty(TILE, np.int64)
    top, total = np.zeros((apart, TILE), np.float32), np.empty((apart, TILE), np.float32)
    j, place = plan.first[source], begin
    while place < end:
        count, runs, j = take_runs(plan, j, place, end, starts, lengths)
        rows_of(starts, lengths, runs, rows)
        lost = False
        top[:] = 0
        for row in range(apart):
            for c in range(count):
                found = ZERO
                for k in range(subs):
                    found += parts[k * apart + row, place + c]
                total[row, c] = found
                lost |= tokens > 0 and found < SMALLEST and counts[head, rows[c]] > 0
        if lost:
            _tile_in_logs(
                query, centroids, valid, plan, source, head, rows, count, cap, lse, top, total
            )
        for row in range(apart):
            for c in range(count):
                score = NEG_INF
                if counts[head, rows[c]] > 0 and total[row, c] > 0:
                    score = top[row, c] + log(total[row, c]) - divisor
                if row % each:
                    score = max(score, mine[row // each, rows[c]])
                mine[row // each, rows[c]] = score
        place += count


@part_of_caller
def _body(fields, stored):
    plan, cap, query, at = work_of(fields)
    phase = fields[at]
    table = (fields[at + 2], fields[at + 3], fields[at + 4])
    centroids = numba.carray(pointer(fields[at + 1]), table, stored)
    counts = numba.carray(pointer(fields[at + 5]), table[:2], np.int32)
    valid = numba.carray(pointer(fields[at + 6]), (fields[at + 7], fields[at + 8]), np.bool_)
    lse, parts, out = floats(fields, at + 9), floats(fields, at + 12), floats(fields, at + 15)
    spans, span = fields[SPANS], take_span(fields)
    while span < spans:
        if phase == SCORE:
            score_item(query, centroids, counts, valid, plan, span, cap, lse, parts)
        else:
            finish_source(query, centroids, counts, valid, plan, span, cap, lse, parts, out)
        finish_span(fields)
        span = take_span(fields)


@functools.cache
def lookup_task(stored: Any) -> Any:
    """The task of ``lookup`` for centroids of a stored type."""

    def task(data):
        _body(numba.carray(data, (FIELDS,)), stored)

    return compile_task(task)


@exact
def lookup(
    team, query, scale, cap, centroids, counts, shape, valid, candidates, block, mean, members
):
    """Log scores ``[sources * members, C]`` of clusters; arguments as for ``lookup.lookup``.

    ``members``: equal parts of the query heads of a KV head that are scored each for itself.
    """
    batch, heads, _, clusters = shape
    starts, before, first = ranges_at(candidates, shape, 0, clusters)
    grouped = group_queries(query, heads, scale)
    groups, length, size = grouped.shape[2:]
    if valid:
        seen = numba.carray(pointer(valid), (batch, length), np.bool_)
    else:
        seen = np.ones((batch, length), np.bool_)
    most = max(1, min(ITEM_QUERIES, max(MANY, HELD // clusters)) // groups)
    sub = (block + (block + most - 1) // most - 1) // ((block + most - 1) // most)
    plan = Plan(starts, before, first, before, length, block, sub)
    sources, subs = len(first) - 1, count_blocks(plan)[1]
    lse = np.empty((sources * subs, groups * sub), np.float32)
    parts = np.empty((subs * (members if mean else groups), before[-1]), np.float32)
    out = np.empty((sources * members, clusters), np.float32)
    fields = np.empty(FIELDS, np.int64)
    at = put_work(fields, sources * subs, plan, cap, grouped)
    fields[at], fields[at + 1], fields[at + 5] = SCORE, centroids, counts
    fields[at + 2], fields[at + 3], fields[at + 4] = heads, clusters, size
    put(fields, put(fields, put(fields, put(fields, at + 6, seen), lse), parts), out)
    held = (plan, grouped, seen, lse, parts, out)
    share(team, fields, held)
    fields[at], fields[SPANS] = FINISH, sources
    share(team, fields, held)
    return out
