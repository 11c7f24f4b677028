"""Attention over rows that each query weighs for itself, and what a sample of rows tells about the others.

A query reads the rows that its weights or its sample name, and the window behind them; no two queries need
read the same ones, so each is one thread's work.
"""

import functools
from typing import Any

import numba
import numpy as np

from squeezed_kernels.cpu.jit import compile_task, exact, inner, inner_sums, part_of_caller, pointer
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp
from squeezed_kernels.cpu.task import FIELDS, SPANS, finish_span, put, share, take_span
from squeezed_kernels.cpu.tile import TILE, fill_logits, softmax, weigh

# A step's own fields: the cap, then each array by its address and its shape. A query ``[B, Hq, L, D]`` and
# keys ``[H, N, D]`` come first, then what the step has beside them.
CAP = 3
QUERY = CAP + 1
KEYS = QUERY + 5
REST = KEYS + 4
SAMPLED = 2  # mark of a row of the sample; 1: of one that is read for itself


@inner
def take_weighted(log_weights, total, at, rows, weights):
    """The next tile of rows from ``at`` on whose log weight ``[M]`` is not ``-inf``, and of those from M to
    ``total``, which weigh one; returns how many there are, and where the next tile begins."""
    count, kept = 0, len(log_weights)
    while at < total and count < TILE:
        weight = log_weights[at] if at < kept else ZERO
        if weight != NEG_INF:
            rows[count], weights[count] = at, weight
            count += 1
        at += 1
    return count, at


@inner
def take_marked(marks, total, at, rows):
    """The same of rows that are marked ``[M]``, and of those from M to ``total``."""
    count, kept = 0, len(marks)
    while at < total and count < TILE:
        if at >= kept or marks[at]:
            rows[count] = at
            count += 1
        at += 1
    return count, at


@inner_sums
def sample_sums(logits, kinds, count, top, found):
    """``found``: sums over ``exp(logits - top)`` of what is read as a whole (kind 0) and of the sample (1),
    and of the squares of the sample's distances from its mean."""
    whole = sampled = squares = ZERO
    number = 0
    for i in range(count):
        weight = exp(logits[i] - top)
        logits[i] = weight
        sampled += weight if kinds[i] else ZERO
        whole += ZERO if kinds[i] else weight
        number += kinds[i]
    mean = sampled / np.float32(max(number, 1))
    for i in range(count):
        distance = logits[i] - mean
        squares += distance * distance if kinds[i] else ZERO
    found[0], found[1], found[2] = whole, sampled, squares


@part_of_caller
def _attend_body(fields, stored):
    cap = np.int32(fields[CAP]).view(np.float32)
    query_heads, length = fields[QUERY + 2], fields[QUERY + 3]
    heads, total, size = fields[KEYS + 1], fields[KEYS + 2], fields[KEYS + 3]
    spans = fields[SPANS]
    query = numba.carray(pointer(fields[QUERY]), (spans, size), np.float32)
    keys = numba.carray(pointer(fields[KEYS]), (heads, total, size), stored)
    values = numba.carray(pointer(fields[REST]), (heads, total, size), stored)
    at = REST + 4
    log_weights = numba.carray(pointer(fields[at]), (spans, fields[at + 4]), np.float32)
    at += 5
    out = numba.carray(pointer(fields[at]), (spans, size), np.float32)
    lse = numba.carray(pointer(fields[at + 3]), (spans,), np.float32)
    rows, weights = np.empty(TILE, np.int64), np.empty(TILE, np.float32)
    logits = np.empty((1, TILE), np.float32)
    top, sums = np.empty(1, np.float32), np.empty(1, np.float32)
    span = take_span(fields)
    while span < spans:
        head = span // length % query_heads // (query_heads // heads)
        mine, part = query[span : span + 1], out[span : span + 1]
        part[:] = 0
        top[0], sums[0] = NEG_INF, ZERO
        count, at = take_weighted(log_weights[span], total, 0, rows, weights)
        while count:
            fill_logits(mine, keys, head, rows, count, cap, values, rows, logits)
            for i in range(count):
                logits[0, i] += weights[i]
            softmax(logits, count, top, sums, part)
            weigh(logits, keys, values, head, rows, count, rows, part)
            count, at = take_weighted(log_weights[span], total, at, rows, weights)
        lse[span] = NEG_INF if top[0] == NEG_INF else top[0] + np.log(sums[0])
        if sums[0] > 0:
            for d in range(size):
                part[0, d] /= sums[0]
        finish_span(fields)
        span = take_span(fields)


@functools.cache
def attend_task(stored: Any) -> Any:
    """The task of ``attend_weighted`` for keys and values of a stored type."""

    def task(data):
        _attend_body(numba.carray(data, (FIELDS,)), stored)

    return compile_task(task)


@exact
def attend_weighted(team, query, keys, values, log_weights, cap):
    """As ``sampling.attend_weighted`` for a query that is scaled; ``cap``: 0 for none.

    Returns the output ``[B * Hq * L, D]`` and its log-sum-exp ``[B * Hq * L]``.
    """
    batch, query_heads, length, size = query.shape
    spans = batch * query_heads * length
    out, lse = np.empty((spans, size), np.float32), np.empty(spans, np.float32)
    fields = np.empty(FIELDS, np.int64)
    fields[SPANS], fields[CAP] = spans, np.float32(cap).view(np.int32)
    at = put(fields, put(fields, put(fields, QUERY, query), keys), values)
    put(fields, put(fields, put(fields, at, log_weights), out), lse)
    share(team, fields, (query, keys, values, log_weights, out, lse))
    return out, lse


@part_of_caller
def _sample_body(fields, stored):
    cap = np.int32(fields[CAP]).view(np.float32)
    query_heads, length = fields[QUERY + 2], fields[QUERY + 3]
    heads, total, size = fields[KEYS + 1], fields[KEYS + 2], fields[KEYS + 3]
    group = query_heads // heads
    spans = fields[SPANS]
    query = numba.carray(pointer(fields[QUERY]), (spans, size), np.float32)
    keys = numba.carray(pointer(fields[KEYS]), (heads, total, size), stored)
    kept = fields[REST + 4]
    sources = spans // group
    marks = numba.carray(pointer(fields[REST]), (sources, kept), np.uint8)
    found = numba.carray(pointer(fields[REST + 5]), (spans, 3), np.float32)
    rows, logits = np.empty(TILE, np.int64), np.empty((1, TILE), np.float32)
    held, kinds = np.empty(total, np.float32), np.empty(total, np.uint8)
    span = take_span(fields)
    while span < spans:
        row, token = span // length, span % length  # a query head of a member, and its token
        source = row // group * length + token
        head = row % query_heads // group
        top, number = NEG_INF, 0
        count, at = take_marked(marks[source], total, 0, rows)
        while count:
            mine = query[span : span + 1]
            fill_logits(mine, keys, head, rows, count, cap, keys, rows, logits)
            for i in range(count):
                held[number] = logits[0, i]
                kinds[number] = rows[i] < kept and marks[source, rows[i]] == SAMPLED
                top = max(top, logits[0, i])
                number += 1
            count, at = take_marked(marks[source], total, at, rows)
        sample_sums(held, kinds, number, top, found[span])
        finish_span(fields)
        span = take_span(fields)


@functools.cache
def sample_task(stored: Any) -> Any:
    """The task of ``sample_moments`` for keys of a stored type."""

    def task(data):
        _sample_body(numba.carray(data, (FIELDS,)), stored)

    return compile_task(task)


@exact
def sample_moments(team, query, keys, marks, cap):
    """As ``sampling.sample_moments`` for a query that is scaled, ``[B * Hq * L, 3]``.

    ``marks [B, H, L, M]``: 1 for a row that is read for itself, ``SAMPLED``, or 0. ``cap``: 0 for none.
    """
    batch, query_heads, length, _ = query.shape
    found = np.empty((batch * query_heads * length, 3), np.float32)
    fields = np.empty(FIELDS, np.int64)
    fields[SPANS], fields[CAP] = len(found), np.float32(cap).view(np.int32)
    put(fields, put(fields, put(fields, put(fields, QUERY, query), keys), marks), found)
    share(team, fields, (query, keys, marks, found))
    return found
