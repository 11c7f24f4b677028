"""The compiled loops of the ``cpu`` backend.

They call only each other, all in this file: a compiled loop is cached on disk under its own file's time
stamp, so a change elsewhere would not be noticed. Storage types: float32 as it is, bfloat16 as ``uint16``,
float16 as ``int16``; arithmetic is float32. Sums may be reordered, which makes them vectors; NaN and infinity
keep their meaning.

Who works on what: a *source* is one (batch row, KV head, block of query tokens), with rows of its own to
read. An *item* is a source and up to ``sub`` of its query tokens for all ``G`` heads, so that a key is read
once for all of them. A *span* is an equal share of the rows of all items, whichever items it cuts: what one
thread does. Item i of span s leaves its part in slot ``s + i``, which no other pair uses. ``Plan`` holds it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

# Rows whose logits are held at once: 64 x 512 bytes of keys stay in the first-level cache.
TILE = 64
# Adding 1.5 * 2**23 leaves a float32's nearest integer in its low bits.
SHIFT = np.float32(12582912.0)
LOG2E = np.float32(1.44269504088896341)
LN2_HIGH = np.float32(0.693359375)  # ln 2 in two parts, the first exact in few bits
LN2_LOW = np.float32(-2.12194440e-4)
EXP_LOWEST = np.float32(-87.3)  # below, e**x is under the smallest normal number: zero
# Queries that meet a tile together: 8 x 512 bytes stay in the first-level cache beside it.
QUERIES = 8
# Turning a tile's keys pays for many queries of short keys (64 queries: 3.3 in place of 6.1 us a tile at head
# size 32, but 15.5 in place of 12.7 at 128).
MANY, SHORT = 16, 64
LINE = 64  # bytes of a cache line
NEG_INF = np.float32(-np.inf)
ZERO, HALF = np.float32(0), np.float32(0.5)
SQRT2 = np.float32(2**0.5)


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


def jit(**flags: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compiles a loop: releases Python's lock, and keeps the code on disk where a folder can be written."""

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        options = {"nogil": True, "error_model": "numpy", **flags}
        try:
            return numba.njit(function, cache=True, **options)
        except RuntimeError:  # no folder for the cache: compile in every process instead
            return numba.njit(function, **options)

    return compiled


sums = jit(fastmath={"reassoc", "contract", "nsz"})  # no flag that assumes numbers to be finite
# Said, not left out: what is left out is inherited from the first caller that compiles the function, and
# reordered sums would cancel the rounding trick in exp.
exact = jit(fastmath=False)


def widen(x: Any) -> Any:
    """A stored number as float32; only for compiled code."""
    raise NotImplementedError


@overload(widen)
def _widen(x):
    if x == types.float32:
        return lambda x: x
    if x == types.uint16:
        return lambda x: np.uint32(np.uint32(x) << 16).view(np.float32)
    if x == types.int16:

        def half(x):
            bits = np.uint32(np.uint16(x))
            # The exponent's bias is 15 in float16 and 127 in float32; the product repairs it, subnormals too.
            size = np.uint32((bits & 0x7FFF) << 13).view(np.float32) * np.float32(2.0**112)
            special = 0x7F800000 if (bits & 0x7C00) == 0x7C00 else 0
            sign = (bits & 0x8000) << 16
            return np.uint32(np.float32(size).view(np.uint32) | special | sign).view(np.float32)

        return half
    return None


@exact
def exp(x):
    """e**x of a float32 up to 88, within 2 units in the last place; unlike math.exp it becomes vectors."""
    shifted = np.float32(x * LOG2E + SHIFT)
    bits = np.float32(shifted).view(np.int32)
    n = shifted - SHIFT
    r = x - n * LN2_HIGH - n * LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1)
    power = np.int32((bits + 127) << 23).view(np.float32)
    return ZERO if x < EXP_LOWEST else p * power


@exact
def log(x):
    """Natural logarithm of a normal positive float32, within 2 units in the last place; becomes vectors."""
    bits = np.float32(x).view(np.int32)
    n = np.int32((bits >> 23) - 127)
    m = np.int32((bits & 0x7FFFFF) | 0x3F800000).view(np.float32)  # x = m * 2**n
    above = m > SQRT2
    r = (m * HALF if above else m) - np.float32(1)
    power = np.float32(n + 1 if above else n)
    p = np.float32(7.0376836292e-2)
    p = p * r + np.float32(-1.1514610310e-1)
    p = p * r + np.float32(1.1676998740e-1)
    p = p * r + np.float32(-1.2420140846e-1)
    p = p * r + np.float32(1.4249322787e-1)
    p = p * r + np.float32(-1.6668057665e-1)
    p = p * r + np.float32(2.0000714765e-1)
    p = p * r + np.float32(-2.4999993993e-1)
    p = p * r + np.float32(3.3333331174e-1)
    p = p * r * r * r + power * LN2_LOW - HALF * r * r
    return r + p + power * LN2_HIGH


@intrinsic
def _prefetch_line(typingctx: Any, address: Any) -> Any:
    """Asks for the cache line at an address; nothing waits for it, and a bad address does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        name = "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        where = builder.inttoptr(arguments[0], pointer)
        # For reading, to keep in every cache level, data.
        builder.call(function, [where, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@exact
def _prefetch_rows(table, head, rows, low, high):
    """Asks for rows that are needed soon: kept clusters are short and far apart, so the processor's own
    guess, the next line, is wrong at every cluster's end (measured: 62 against 28 ns a row)."""
    bytes_a_row = table.shape[2] * table.itemsize
    base = table.ctypes.data + head * table.shape[1] * bytes_a_row
    for j in range(low, high):
        for line in range(0, bytes_a_row, LINE):
            _prefetch_line(base + rows[j] * bytes_a_row + line)


@sums
def _logits(query, keys, head, rows, count, cap, later, later_rows, logits):
    """Fills ``logits[q, j]`` for the tile's rows, in the order of memory, which lets the processor read ahead
    (four rows side by side took 1.2 times as long); four queries at a time, so that a key is loaded once.

    Meanwhile it asks for the rows ``later_rows`` of the table ``later``.
    """
    queries = query.shape[0]
    for low in range(0, queries, QUERIES):
        high = min(queries, low + QUERIES)
        fours = high - (high - low) % 4
        if low < fours:
            _logits_of_fours(query, keys, head, rows, count, low, fours, later, later_rows, logits)
        few = (fours, high, fours == 0)
        if fours < high and keys.itemsize < 4:
            _logits_by_pairs(query, keys, head, rows, count, few, later, later_rows, logits)
        elif fours < high:
            _logits_row_by_row(query, keys, head, rows, count, few, later, later_rows, logits)
    _cap_all(logits, count, cap)


@sums
def _logits_row_by_row(query, keys, head, rows, count, few, later, later_rows, logits):
    """As ``_logits`` for fewer than four queries; ``few``: the first, the one after the last, and whether to
    ask for the later rows."""
    low, high, asks = few
    for j in range(count):
        if asks:
            _prefetch_rows(later, head, later_rows, j, j + 1)
        for q in range(low, high):
            s = ZERO
            for d in range(query.shape[1]):
                s += query[q, d] * widen(keys[head, rows[j], d])
            logits[q, j] = s


@sums
def _logits_by_pairs(query, keys, head, rows, count, few, later, later_rows, logits):
    """As ``_logits_row_by_row`` for 16-bit keys: widening them, not memory, sets the pace there, and two rows
    side by side keep the processor busier (26 against 34 ns a row of 128; 32-bit rows lose by it)."""
    low, high, asks = few
    for j in range(0, count, 2):
        r0, r1 = rows[j], rows[min(j + 1, count - 1)]
        if asks:
            _prefetch_rows(later, head, later_rows, j, min(j + 2, count))
        for q in range(low, high):
            a = b = ZERO
            for d in range(query.shape[1]):
                a += query[q, d] * widen(keys[head, r0, d])
                b += query[q, d] * widen(keys[head, r1, d])
            logits[q, j] = a
            if j + 1 < count:
                logits[q, j + 1] = b


@sums
def _logits_of_fours(query, keys, head, rows, count, low, high, later, later_rows, logits):
    """As ``_logits`` for queries ``low`` to ``high``, whose number is a multiple of 4: two rows at a time."""
    size = query.shape[1]
    for j in range(0, count, 2):
        r0, r1 = rows[j], rows[min(j + 1, count - 1)]
        if low == 0:
            _prefetch_rows(later, head, later_rows, j, min(j + 2, count))
        for q in range(low, high, 4):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = ZERO
            for d in range(size):
                x, y = widen(keys[head, r0, d]), widen(keys[head, r1, d])
                a0 += query[q, d] * x
                a1 += query[q + 1, d] * x
                a2 += query[q + 2, d] * x
                a3 += query[q + 3, d] * x
                b0 += query[q, d] * y
                b1 += query[q + 1, d] * y
                b2 += query[q + 2, d] * y
                b3 += query[q + 3, d] * y
            logits[q, j], logits[q + 1, j], logits[q + 2, j], logits[q + 3, j] = a0, a1, a2, a3
            if j + 1 < count:
                logits[q, j + 1], logits[q + 1, j + 1] = b0, b1
                logits[q + 2, j + 1], logits[q + 3, j + 1] = b2, b3


@exact
def _turn(table, head, rows, count, turned):
    """Writes a tile's rows as columns of ``turned [D, TILE]``; what is left of the tile becomes 0."""
    for d in range(turned.shape[0]):
        for j in range(count, TILE):
            turned[d, j] = ZERO
    for j in range(count):
        for d in range(turned.shape[0]):
            turned[d, j] = widen(table[head, rows[j], d])


@sums
def _logits_by_columns(query, turned, count, cap, logits):
    """As ``_logits`` for many queries: vectors run along the rows, so that no vector must be summed up."""
    queries, size = query.shape
    whole = size - size % 8
    for q in range(queries):
        for j in range(TILE):
            logits[q, j] = ZERO
        for d in range(0, whole, 8):
            x0, x1, x2, x3 = query[q, d], query[q, d + 1], query[q, d + 2], query[q, d + 3]
            x4, x5, x6, x7 = query[q, d + 4], query[q, d + 5], query[q, d + 6], query[q, d + 7]
            for j in range(TILE):
                logits[q, j] += (
                    x0 * turned[d, j]
                    + x1 * turned[d + 1, j]
                    + x2 * turned[d + 2, j]
                    + x3 * turned[d + 3, j]
                    + x4 * turned[d + 4, j]
                    + x5 * turned[d + 5, j]
                    + x6 * turned[d + 6, j]
                    + x7 * turned[d + 7, j]
                )
        for d in range(whole, size):
            for j in range(TILE):
                logits[q, j] += query[q, d] * turned[d, j]
    _cap_all(logits, count, cap)


@sums
def _cap_all(logits, count, cap):
    if cap > 0:
        for q in range(logits.shape[0]):
            for j in range(count):
                logits[q, j] = cap * np.tanh(logits[q, j] / cap)


@sums
def _softmax(logits, count, top, total, sums):
    """Turns a tile's logits into weights under a running maximum; rescales what was summed before."""
    for q in range(logits.shape[0]):
        high = top[q]
        for j in range(count):
            high = max(high, logits[q, j])
        if high == NEG_INF:
            for j in range(count):
                logits[q, j] = ZERO
            continue
        if high != top[q]:
            factor = exp(top[q] - high)
            total[q] *= factor
            for d in range(sums.shape[1]):
                sums[q, d] *= factor
            top[q] = high
        part = ZERO
        for j in range(count):
            weight = exp(logits[q, j] - high)
            logits[q, j] = weight
            part += weight
        total[q] += part


@sums
def _weigh(weights, keys, values, head, rows, count, following, sums):
    """Adds the tile's weighted values, two rows at a time: nearly in the order of memory, and half as many
    loads and stores of the sums.

    Meanwhile it asks for the next tile's rows of ``keys``.
    """
    queries, size = sums.shape
    whole = count - count % 2
    for low in range(0, queries, QUERIES):
        high = min(queries, low + QUERIES)
        for j in range(0, whole, 2):
            r0, r1 = rows[j], rows[j + 1]
            if low == 0:
                _prefetch_rows(keys, head, following, j, j + 2)
            for q in range(low, high):
                w0, w1 = weights[q, j], weights[q, j + 1]
                for d in range(size):
                    sums[q, d] += w0 * widen(values[head, r0, d]) + w1 * widen(values[head, r1, d])
        for j in range(whole, count):
            for q in range(low, high):
                w = weights[q, j]
                for d in range(size):
                    sums[q, d] += w * widen(values[head, rows[j], d])


@exact
def _last_not_above(before, place):
    """The last j with ``before[j] <= place``; ``before`` does not fall."""
    low, high = 0, len(before) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if before[middle] <= place:
            low = middle
        else:
            high = middle - 1
    return low


@exact
def _blocks(plan):
    """Blocks of query tokens T, and items of each."""
    return (plan.length + plan.block - 1) // plan.block, (plan.block + plan.sub - 1) // plan.sub


@exact
def _kv_heads(plan, valid):
    """KV heads of a plan whose query tokens are ``valid [B, L]``."""
    return (len(plan.first) - 1) // (len(valid) * _blocks(plan)[0])


@exact
def _tokens(plan, item):
    """Source of an item and its query tokens ``low`` to ``high``; none if the last block is short."""
    blocks, subs = _blocks(plan)
    source, k = item // subs, item % subs
    t = source % blocks
    end = min(plan.length, (t + 1) * plan.block)
    low = min(end, t * plan.block + k * plan.sub)
    return source, low, min(end, low + plan.sub)


@exact
def _queries(query, source, blocks, low, high, out):
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


@exact
def divide(plan):
    """``work`` of a plan, from its other fields."""
    items = (len(plan.first) - 1) * _blocks(plan)[1]
    work = np.zeros(items + 1, np.int64)
    for item in range(items):
        source, low, high = _tokens(plan, item)
        rows = plan.before[plan.first[source + 1]] - plan.before[plan.first[source]]
        work[item + 1] = work[item] + (rows if high > low else 0)
    return work


@exact
def _take_rows(plan, j, place, stop, rows):
    """The next tile's row numbers, from place ``place`` in range ``j`` on; returns their number and range."""
    count = 0
    while count < TILE and place < stop:
        while plan.before[j + 1] <= place:
            j += 1
        take = min(TILE - count, min(stop, plan.before[j + 1]) - place)
        row = plan.starts[j] + place - plan.before[j]
        for k in range(take):
            rows[count + k] = row + k
        count += take
        place += take
    return count, j


@exact
def _next_item(work, item):
    """The next item that has rows."""
    item += 1
    while item + 1 < len(work) and work[item + 1] == work[item]:
        item += 1
    return item


@exact
def attend_span(query, keys, values, plan, cap, span, spans, out, lse):
    """Attention of one span.

    ``query [B, H, G, L, D]`` float32, scaled. ``keys, values [K, N, D]``: K is H, shared by the batch, or
    B * H. ``out [items + spans, G * sub, D]`` and ``lse [items + spans, G * sub]`` receive the parts.
    """
    groups, size = query.shape[2], query.shape[4]
    blocks = _blocks(plan)[0]
    place, end = plan.work[-1] * span // spans, plan.work[-1] * (span + 1) // spans
    room = groups * plan.sub
    local, logits = np.empty((room, size), np.float32), np.empty((room, TILE), np.float32)
    top, total = np.empty(room, np.float32), np.empty(room, np.float32)
    rows, following = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    turned = np.empty((size, TILE), np.float32)
    item = _last_not_above(plan.work, place)
    while place < end:
        source, low, high = _tokens(plan, item)
        head = source // blocks % keys.shape[0]
        slot = span + item
        used = _queries(query, source, blocks, low, high, local)
        mine, part, tile = local[:used], out[slot, :used], logits[:used]
        part[:] = 0
        top[:used] = NEG_INF
        total[:used] = 0
        # From places among the rows of all items to places among the rows of all sources.
        shift = plan.before[plan.first[source]] - plan.work[item]
        stop = min(end, plan.work[item + 1]) + shift
        here = place + shift
        place = stop - shift
        j = _last_not_above(plan.before, here)
        count, j = _take_rows(plan, j, here, stop, rows)
        while count:
            here += count
            ahead, j = _take_rows(plan, j, here, stop, following)
            following[ahead:count] = rows[0]  # nothing more to ask for
            if used < MANY or size > SHORT:
                _logits(mine, keys, head, rows, count, cap, values, rows, tile)
            else:
                _turn(keys, head, rows, count, turned)
                _logits_by_columns(mine, turned, count, cap, tile)
            _softmax(tile, count, top, total, part)
            _weigh(tile, keys, values, head, rows, count, following, part)
            rows, following = following, rows
            count = ahead
        for q in range(used):
            lse[slot, q] = NEG_INF if top[q] == NEG_INF else top[q] + np.log(total[q])
            if total[q] > 0:
                for d in range(size):
                    part[q, d] /= total[q]
        item = _next_item(plan.work, item)


@exact
def _spans_of(work, item, spans):
    """The spans ``low`` to ``high`` that work on an item."""
    low, high = 0, 0
    if work[item + 1] > work[item]:
        while work[-1] * (low + 1) // spans <= work[item]:
            low += 1
        high = low + 1
        while high < spans and work[-1] * high // spans < work[item + 1]:
            high += 1
    return low, high


@exact
def merge_spans(plan, spans, out, lse, whole, whole_lse):
    """Merges the parts of every item into ``whole [B, H, G, L, D]`` and ``whole_lse [B, H, G, L]``."""
    kv_heads, groups, _, size = whole.shape[1:]
    blocks = _blocks(plan)[0]
    for item in range(len(plan.work) - 1):
        source, low, high = _tokens(plan, item)
        b, h = source // blocks // kv_heads, source // blocks % kv_heads
        span0, span1 = _spans_of(plan.work, item, spans)
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


@exact
def _add_range(starts, before, found, begin, end):
    """Appends the rows ``begin`` to ``end`` if there are any; returns the number of ranges."""
    if end > begin:
        starts[found] = begin
        before[found + 1] = before[found] + end - begin
        found += 1
    return found


@exact
def ranges(keep, offsets, total):
    """Ranges of kept rows, adjacent ones joined: ``starts``, ``before`` and ``first`` of a plan.

    ``keep [B, H, T, C]`` bool, ``offsets [H, C + 1]``; each source ends with the rows from ``offsets[h, C]``
    to ``total``, the window.
    """
    batch, heads, blocks, groups = keep.shape
    room = batch * heads * blocks * (groups // 2 + 2)
    starts, before = np.empty(room, np.int64), np.empty(room + 1, np.int64)
    first = np.empty(batch * heads * blocks + 1, np.int64)
    found, source = 0, 0
    before[0] = 0
    for b in range(batch):
        for h in range(heads):
            for t in range(blocks):
                first[source] = found
                source += 1
                begin = end = np.int64(0)
                for c in range(groups + 1):
                    if c < groups and not keep[b, h, t, c]:
                        continue
                    low = np.int64(offsets[h, c])
                    if low != end:
                        found = _add_range(starts, before, found, begin, end)
                        begin = low
                    end = np.int64(total) if c == groups else np.int64(offsets[h, c + 1])
                found = _add_range(starts, before, found, begin, end)
    first[source] = found
    return starts[:found], before[: found + 1], first


@sums
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


@exact
def score_span(query, centroids, counts, plan, k, cap, span, spans, logits, lse):
    """First half of the lookup of one span: logits of the k-th ``sub`` tokens of every source's block.

    ``plan.work`` is divided among sources, not items. ``logits [G * sub, rows of all sources]``;
    ``lse [sources + spans, G * sub]`` receives the parts of each query's log-sum-exp over keys.
    """
    groups, size = query.shape[2], query.shape[4]
    blocks, subs = _blocks(plan)
    place, end = plan.work[-1] * span // spans, plan.work[-1] * (span + 1) // spans
    room = groups * plan.sub
    local, scratch = np.empty((room, size), np.float32), np.empty((room, TILE), np.float32)
    top, total = np.empty(room, np.float32), np.empty(room, np.float32)
    rows, following = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    turned, weights = np.empty((size, TILE), np.float32), np.empty(TILE, np.float32)
    source = _last_not_above(plan.work, place)
    while place < end:
        _, low, high = _tokens(plan, source * subs + k)
        head = source // blocks % centroids.shape[0]
        used = _queries(query, source, blocks, low, high, local)
        mine, tile = local[:used], scratch[:used]
        top[:used] = NEG_INF
        total[:used] = 0
        stop = min(end, plan.work[source + 1])
        j = _last_not_above(plan.before, place)
        count, j = _take_rows(plan, j, place, stop, rows)
        while count:
            ahead, j = _take_rows(plan, j, place + count, stop, following)
            following[ahead:count] = rows[0]  # nothing more to ask for
            if used < MANY or size > SHORT:
                _logits(mine, centroids, head, rows, count, cap, centroids, following, tile)
            else:
                _turn(centroids, head, rows, count, turned)
                _logits_by_columns(mine, turned, count, cap, tile)
            for c in range(count):
                weights[c] = counts[head, rows[c]]
            _add_to_lse(tile, weights, count, top, total)
            for q in range(used):
                for c in range(count):
                    logits[q, place + c] = tile[q, c]
            rows, following = following, rows
            place += count
            count = ahead
        for q in range(used):
            lse[span + source, q] = NEG_INF if top[q] == NEG_INF else top[q] + np.log(total[q])
        source = _next_item(plan.work, source)


@exact
def _whole_lse(work, source, spans, lse, used, out):
    """Every query's log-sum-exp from the spans' parts; 0 where there is none: it is to be subtracted."""
    low, high = _spans_of(work, source, spans)
    for q in range(used):
        top, total = NEG_INF, ZERO
        for span in range(low, high):
            top = max(top, lse[span + source, q])
        for span in range(low, high):
            if top > NEG_INF:
                total += exp(lse[span + source, q] - top)
        out[q] = ZERO if top == NEG_INF else top + np.log(total)


@sums
def _fold(logits, place, count, lse, skip, low, high, first, top, total, base):
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


@exact
def fold_span(valid, plan, k, span, spans, groups, logits, lse, top, total):
    """Second half of the lookup of one span: adds the k-th tokens' shares to each cluster's.

    ``valid [B, L]``: tokens that count. ``top, total [1 or G, rows of all sources]``: running log-sum-exp
    over query tokens, and over query heads if there is one row only.
    """
    blocks, subs = _blocks(plan)
    place, end = plan.work[-1] * span // spans, plan.work[-1] * (span + 1) // spans
    kv_heads = _kv_heads(plan, valid)
    whole, base = np.empty(groups * plan.sub, np.float32), np.empty(TILE, np.float32)
    skip = np.zeros(groups * plan.sub, np.bool_)
    source = _last_not_above(plan.work, place)
    while place < end:
        _, low, high = _tokens(plan, source * subs + k)
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
                _fold(logits, place, count, whole, skip, low, high, k == 0, tops, totals, base)
            place += count
        source = _next_item(plan.work, source)


@exact
def _log_mean(top, total, divisor, first, out):
    """``out = max(out, top + log(total) - divisor)``, or the first of them; contiguous, to become vectors."""
    for i in range(len(out)):
        here = top[i] + log(total[i]) - divisor if total[i] > 0 else NEG_INF
        out[i] = here if first else max(out[i], here)


@exact
def finish_scores(valid, plan, span, spans, groups, top, total, out):
    """Means from sums, of one span of the sources: ``out [sources, C]`` log scores, ``-inf`` for clusters
    that are not in the plan.

    ``valid [B, L]``: tokens that the mean is over. One row of ``top``: mean over heads; more: their maximum.
    """
    blocks, kv_heads = _blocks(plan)[0], _kv_heads(plan, valid)
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
