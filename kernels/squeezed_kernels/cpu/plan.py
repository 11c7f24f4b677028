"""Who works on what.

A *source* is one (batch row, KV head, block of query tokens), with rows of its own to read. An *item* is a
source and up to ``sub`` of its query tokens for all ``G`` heads, so that a key is read once for all of them.
A *span* is an equal share of the rows of all items, whichever items it cuts: what one thread does at a time.
Item i of span s leaves its part in slot ``s + i``, which no other pair uses. ``Plan`` holds it.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from squeezed_kernels.cpu.jit import inner, pointer
from squeezed_kernels.cpu.numbers import widen
from squeezed_kernels.cpu.tile import TILE

# Query rows that share one pass over the keys; more would push the tile out of the second-level cache.
ITEM_QUERIES = 64
SPANS_A_THREAD = (
    4  # a thread that the system holds up then delays a quarter of its share, not all of it
)
FLOAT32, BFLOAT16, FLOAT16 = range(3)


class Plan(NamedTuple):
    """What is to be read, by whom (int64 arrays).

    Attributes:
        starts: first row of every range of rows. before: rows in all earlier ranges; the last entry is all.
        first: source s has the ranges ``first[s]`` to ``first[s + 1]``.
        work: rows of all items before item i; the last entry is all.
        length: query tokens L. block: of them in a source. sub: of them in an item.
    """

    starts: Any
    before: Any
    first: Any
    work: Any
    length: int
    block: int
    sub: int


class Query(NamedTuple):
    """A contiguous tensor ``[B, Hq, L, D]``: its address, how numbers are stored in it, and its shape."""

    address: int
    stored: int
    batch: int
    heads: int
    length: int
    size: int


@inner
def last_not_above(before, place):
    """The last j with ``before[j] <= place``; ``before`` does not fall."""
    low, high = 0, len(before) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if before[middle] <= place:
            low = middle
        else:
            high = middle - 1
    return low


@inner
def count_blocks(plan):
    """Blocks of query tokens T, and items of each."""
    return (plan.length + plan.block - 1) // plan.block, (plan.block + plan.sub - 1) // plan.sub


@inner
def count_kv_heads(plan, valid):
    """KV heads of a plan whose query tokens are ``valid [B, L]``."""
    return (len(plan.first) - 1) // (len(valid) * count_blocks(plan)[0])


@inner
def tokens_of(plan, item):
    """Source of an item and its query tokens ``low`` to ``high``; none if the last block is short."""
    blocks, subs = count_blocks(plan)
    source, k = item // subs, item % subs
    t = source % blocks
    end = min(plan.length, (t + 1) * plan.block)
    low = min(end, t * plan.block + k * plan.sub)
    return source, low, min(end, low + plan.sub)


@inner
def copy_queries(query, source, blocks, low, high, out):
    """Copies an item's queries of all heads to ``out [G * tokens, D]``; returns how many there are."""
    kv_heads, groups, _, size = query.shape[1:]
    b, h = source // blocks // kv_heads, source // blocks % kv_heads
    count = 0
    for g in range(groups):
        for token in range(low, high):
            for d in range(size):
                out[count, d] = query[b, h, g, token, d]
            count += 1
    return count


@inner
def _scaled(source, scale, out):
    for i in range(len(out)):
        out[i] = widen(source[i]) * scale


@inner
def group_queries(query, heads, scale):
    """Scaled queries in float32, ``[B, H, G, L, D]``, of a ``Query``."""
    shape = (query.batch, heads, query.heads // heads, query.length, query.size)
    grouped = np.empty(shape, np.float32)
    out = grouped.ravel()
    where, count = pointer(query.address), (len(out),)
    if query.stored == FLOAT32:
        _scaled(numba.carray(where, count, np.float32), np.float32(scale), out)
    elif query.stored == BFLOAT16:
        _scaled(numba.carray(where, count, np.uint16), np.float32(scale), out)
    else:
        _scaled(numba.carray(where, count, np.int16), np.float32(scale), out)
    return grouped


@inner
def divide(plan):
    """``work`` of a plan, from its other fields."""
    items = (len(plan.first) - 1) * count_blocks(plan)[1]
    work = np.zeros(items + 1, np.int64)
    for item in range(items):
        source, low, high = tokens_of(plan, item)
        rows = plan.before[plan.first[source + 1]] - plan.before[plan.first[source]]
        work[item + 1] = work[item] + (rows if high > low else 0)
    return work


@inner
def count_spans(team, rows, each):
    """Equal shares to cut rows of ``each`` multiply-adds into; one if there is one thread or little to do.

    No share is empty: an empty one would leave no result where the merge looks for it.
    """
    if team.threads == 1:
        return 1
    return max(1, min(team.threads * SPANS_A_THREAD, rows * each // team.worth, rows))


@inner
def take_runs(plan, j, place, stop, starts, lengths):
    """The next tile's runs of rows, from place ``place`` in range ``j`` on; returns how many rows and runs
    there are, and the range."""
    count, runs = 0, 0
    while count < TILE and place < stop:
        while plan.before[j + 1] <= place:
            j += 1
        take = min(TILE - count, min(stop, plan.before[j + 1]) - place)
        starts[runs] = plan.starts[j] + place - plan.before[j]
        lengths[runs] = take
        runs += 1
        count += take
        place += take
    return count, runs, j


@inner
def rows_of(starts, lengths, runs, rows):
    """Writes the row numbers of runs."""
    count = 0
    for run in range(runs):
        for k in range(lengths[run]):
            rows[count] = starts[run] + k
            count += 1


@inner
def next_item(work, item):
    """The next item that has rows."""
    item += 1
    while item + 1 < len(work) and work[item + 1] == work[item]:
        item += 1
    return item


@inner
def spans_of(work, item, spans):
    """The spans ``low`` to ``high`` that work on an item."""
    low, high = 0, 0
    if work[item + 1] > work[item]:
        while work[-1] * (low + 1) // spans <= work[item]:
            low += 1
        high = low + 1
        while high < spans and work[-1] * high // spans < work[item + 1]:
            high += 1
    return low, high
