"""The lookup of keys by their codes.

What a query adds for each bit of a code becomes a table of 256 sums for each byte, a few kilobytes that stay
in a near cache; a key is then one addition a byte. Queries that look at the same keys do so together, each in
a lane of a vector (``lanes``). A source (a batch row, a KV head, a block of queries) is one thread's work.
"""

import functools
from typing import Any

import numba
import numpy as np

from squeezed_kernels.cpu.jit import compile_task, exact, inner, inner_sums, part_of_caller, pointer
from squeezed_kernels.cpu.lanes import (
    BYTE,
    MANY,
    TOGETHER,
    fill_lanes,
    fill_table,
    lanes_for,
    sum_few,
    sum_many,
    turn_few,
    turn_many,
)
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp, log
from squeezed_kernels.cpu.task import FIELDS, SPANS, finish_span, put, share, take_span

FIRST = 3  # of the step's own fields
# A sum of shares below this may have lost what counts: float32 ends at 1.2e-38.
SMALLEST = np.float32(1e-30)


@inner
def fill_logits(table, base, codes, offsets, logits):
    """Logits ``[M]`` of all keys: ``base [C]`` of their group, and a sum of the table for each byte."""
    size = codes.shape[1]
    flat = codes.reshape(-1)
    # Unsigned places: a signed one may count from the end, which is looked for each time.
    i, k, step = np.uint64(0), np.uint64(0), np.uint64(BYTE)
    for c in range(len(base)):
        for _ in range(offsets[c + 1] - offsets[c]):
            total = base[c]
            at = np.uint64(0)
            for _ in range(size // 4):  # four at a time, whose sums do not wait for one another
                first = table[at | np.uint64(flat[k])]
                second = table[(at + step) | np.uint64(flat[k + np.uint64(1)])]
                at += np.uint64(2 * BYTE)
                third = table[at | np.uint64(flat[k + np.uint64(2)])]
                fourth = table[(at + step) | np.uint64(flat[k + np.uint64(3)])]
                total += (first + second) + (third + fourth)
                at += np.uint64(2 * BYTE)
                k += np.uint64(4)
            for _ in range(size % 4):
                total += table[at | np.uint64(flat[k])]
                at += step
                k += np.uint64(1)
            logits[i] = total
            i += np.uint64(1)


@inner
def fill_logits_of_many(table, base, codes, offsets, lanes, tile, logits, most):
    """The same of ``lanes`` queries, ``logits [lanes, M]``; ``table [P * 256 * lanes]`` and
    ``base [C, lanes]`` hold a lane of each, and ``most [lanes]`` gets the highest logit.
    ``tile [TOGETHER * MANY]``: scratch."""
    size = codes.shape[1]
    most[:] = NEG_INF
    most_at = most.ctypes.data
    place, held, c = 0, 0, -1
    left = 0  # keys of group c that are to come
    while place < len(codes):
        while left == 0:
            c += 1
            left = offsets[c + 1] - offsets[c]
        count = min(left, TOGETHER - held)
        sums_at, codes_at = tile[held * lanes :].ctypes.data, codes[place + held :].ctypes.data
        base_at = base[c:].ctypes.data
        if lanes == MANY:
            sum_many(sums_at, base_at, table.ctypes.data, codes_at, size, count, most_at)
        else:
            sum_few(sums_at, base_at, table.ctypes.data, codes_at, size, count, most_at)
        held += count
        left -= count
        if held == TOGETHER or place + held == len(codes):
            tile_at, row = tile.ctypes.data, 4 * logits.shape[1]
            squares = held // lanes
            for square in range(squares):
                logits_at = logits[0, place + square * lanes :].ctypes.data
                if lanes == MANY:
                    turn_many(tile_at, logits_at, row)
                else:
                    turn_few(tile_at, logits_at, row)
                tile_at += 4 * lanes * lanes
            for i in range(squares * lanes, held):
                for q in range(lanes):
                    logits[q, place + i] = tile[i * lanes + q]
            place += held
            held = 0


@inner
def cap_logits(logits, cap):
    for j in range(len(logits)):
        logits[j] = cap * np.tanh(logits[j] / cap)


@inner
def highest(logits):
    top = NEG_INF
    for i in range(len(logits)):
        top = max(top, logits[i])
    return top


@inner_sums
def exponentiate(logits, top, powers):
    """``powers = e ** (logits - top)``; returns their sum."""
    total = ZERO
    for i in range(len(logits)):
        powers[i] = exp(logits[i] - top)
        total += powers[i]
    return total


@inner_sums
def add_shares(powers, weight, total):
    for i in range(len(powers)):
        total[i] += weight * powers[i]


@inner
def take_logits(logits, lse, out):
    """Scores of one query, where they are higher than those of others before."""
    for i in range(len(logits)):
        score = logits[i] - lse
        out[i] = score if score > out[i] else out[i]


@inner
def take_shares(total, divisor, scores, out):
    """The same of sums of shares ``total``; whether some are too small for float32, and left out.

    ``scores`` is scratch."""
    for i in range(len(total)):  # nothing else in it, so that it becomes vectors
        held = total[i]
        scores[i] = log(held if held > SMALLEST else SMALLEST) - divisor
    lost = 0
    for i in range(len(total)):
        small = total[i] < SMALLEST
        lost += small
        score = NEG_INF if small else scores[i]
        out[i] = score if score > out[i] else out[i]
    return lost > 0


@inner
def in_logs(weights, base, codes, offsets, valid, cap, lse, i):
    """Log of a key's sum of shares, in log space from the beginning: ``weights [G, tokens, 8 * P]``,
    ``base [G, tokens, C]``, ``valid [tokens]``, ``lse [G, tokens]``."""
    group = np.searchsorted(offsets, i, side="right") - 1
    top, total = NEG_INF, ZERO
    for g in range(len(weights)):
        for token in range(len(valid)):
            if not valid[token]:
                continue
            logit = base[g, token, group]
            for p in range(codes.shape[1]):
                for k in range(8):
                    if codes[i, p] >> k & 1:
                        logit += weights[g, token, 8 * p + k]
            if cap > 0:
                logit = cap * np.tanh(logit / cap)
            found = logit - lse[g, token]
            if found > top:
                total, top = total * exp(top - found) + np.float32(1), found
            else:
                total += exp(found - top)
    return top + np.float32(np.log(total))


@part_of_caller
def score_source(weights, base, codes, offsets, valid, block, cap, mean, source, out):
    """Log scores of a source, ``out [M]``; the other arguments as of the step."""
    heads = len(codes)
    groups, length = weights.shape[1] // heads, weights.shape[2]
    blocks = (length + block - 1) // block
    member, head = source // blocks // heads, source // blocks % heads
    low = source % blocks * block
    high = min(length, low + block)
    seen = valid[member, low:high]
    tokens = 0
    for token in range(high - low):
        tokens += seen[token]
    out[:] = NEG_INF
    if tokens == 0:
        return
    rows, size = codes.shape[1:]
    mine = groups * tokens  # queries
    lanes = lanes_for(mine)
    table = np.empty(size * BYTE * lanes, np.float32)
    own_base = np.empty((base.shape[3], lanes), np.float32)
    tile = np.empty(TOGETHER * MANY, np.float32)
    held = np.empty((lanes, rows), np.float32)  # logits of queries that look together
    most = np.empty(lanes, np.float32)
    at, end = 0, 0  # the next of them, and how many there are
    powers = np.empty(rows, np.float32)
    total, lse = np.zeros(rows, np.float32), np.zeros((groups, high - low), np.float32)
    together = groups if mean else 1  # query heads whose shares are added
    divisor = np.float32(np.log(tokens * together))
    last = 0
    for g in range(groups):
        row = head * groups + g
        for token in range(high - low):
            if not seen[token]:
                continue
            last = token
            if at == end:
                at, end = 0, min(lanes, mine)
                mine -= end
                if lanes == 1:
                    fill_table(weights[member, row, low + token], table, 1, 0)
                    own = base[member, row, low + token]
                    fill_logits(table, own, codes[head], offsets[head], held[0])
                    most[0] = highest(held[0])
                else:
                    fill_lanes(
                        weights[member],
                        base[member],
                        head * groups,
                        g,
                        low,
                        token,
                        seen,
                        end,
                        table,
                        own_base,
                    )
                    fill_logits_of_many(
                        table, own_base, codes[head], offsets[head], lanes, tile, held, most
                    )
            logits, top = held[at], most[at]
            at += 1
            if cap > 0:
                cap_logits(logits, cap)
                top = cap * np.tanh(top / cap)
            powers_sum = exponentiate(logits, top, powers)
            lse[g, token] = top + np.float32(np.log(powers_sum))
            if tokens * together > 1:
                add_shares(powers, np.float32(1) / powers_sum, total)
        if (g + 1) % together:
            continue
        if tokens * together == 1:
            take_logits(logits, lse[g, last], out)
            continue
        lost = take_shares(total, divisor, powers, out)
        first = head * groups + g + 1 - together
        for i in range(rows if lost else 0):
            if total[i] < SMALLEST:
                own = in_logs(
                    weights[member, first : row + 1, low:high],
                    base[member, first : row + 1, low:high],
                    codes[head],
                    offsets[head],
                    seen,
                    cap,
                    lse[g + 1 - together : g + 1],
                    i,
                )
                out[i] = max(out[i], own - divisor)
        total[:] = ZERO


@part_of_caller
def _body(fields):
    block, mean = fields[FIRST], fields[FIRST + 1] > 0
    cap = np.int32(fields[FIRST + 2]).view(np.float32)
    at = FIRST + 3
    batch, query_heads, length = fields[at + 1], fields[at + 2], fields[at + 3]
    shape = (batch, query_heads, length, fields[at + 4])
    weights = numba.carray(pointer(fields[at]), shape, np.float32)
    at += 5
    shape = (batch, query_heads, length, fields[at + 4])
    base = numba.carray(pointer(fields[at]), shape, np.float32)
    at += 5
    shape = (fields[at + 1], fields[at + 2], fields[at + 3])
    codes = numba.carray(pointer(fields[at]), shape, np.uint8)
    at += 4
    offsets = numba.carray(pointer(fields[at]), (fields[at + 1], fields[at + 2]), np.int32)
    at += 3
    valid = numba.carray(pointer(fields[at]), (batch, length), np.bool_)
    at += 3
    out = numba.carray(pointer(fields[at]), (fields[at + 1], fields[at + 2]), np.float32)
    spans, span = fields[SPANS], take_span(fields)
    while span < spans:
        score_source(weights, base, codes, offsets, valid, block, cap, mean, span, out[span])
        finish_span(fields)
        span = take_span(fields)


@functools.cache
def lookup_task() -> Any:
    """The task of ``lookup_codes``."""

    def task(data):
        _body(numba.carray(data, (FIELDS,)))

    return compile_task(task)


@exact
def lookup_codes(team, weights, base, codes, offsets, valid, block, cap, mean):
    """Log scores ``[B * H * T, M]``, sources in that order; arrays as of ``reference.lookup_codes``.

    Args:
        valid: ``[B, L]``. block: query tokens that are selected for together. cap: 0 for none.
        mean: over query heads, and not the highest.
    """
    sources = len(weights) * len(codes) * ((weights.shape[2] + block - 1) // block)
    out = np.empty((sources, codes.shape[1]), np.float32)
    fields = np.empty(FIELDS, np.int64)
    fields[SPANS], fields[FIRST], fields[FIRST + 1] = sources, block, mean
    fields[FIRST + 2] = np.float32(cap).view(np.int32)
    at = put(fields, put(fields, put(fields, FIRST + 3, weights), base), codes)
    put(fields, put(fields, put(fields, at, offsets), valid), out)
    share(team, fields, (weights, base, codes, offsets, valid, out))
    return out
