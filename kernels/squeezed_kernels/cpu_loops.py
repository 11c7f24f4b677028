"""The compiled loops of the ``cpu`` backend.

They call only each other, all in this file: a compiled loop is cached on disk under its own file's time
stamp, so a change elsewhere would not be noticed. Storage types: float32 as it is, bfloat16 as ``uint16``,
float16 as ``int16``; arithmetic is float32. Sums may be reordered, which makes them vectors; NaN and infinity
keep their meaning.

Who works on what: a *source* is one (batch row, KV head, block of query tokens), with rows of its own to
read. An *item* is a source and up to ``sub`` of its query tokens for all ``G`` heads, so that a key is read
once for all of them. A *span* is an equal share of the rows of all items, whichever items it cuts: what one
thread does at a time. Item i of span s leaves its part in slot ``s + i``, which no other pair uses. ``Plan``
holds it.

``attend``, ``attend_groups`` and ``lookup`` are a step each, whole: after a step of a real model the code of
all that Python does between two loops must come from memory again, so there is no Python between them. They
hand their arrays to a *task*, a C function that every thread of the team runs (``attend_task``,
``lookup_task``), by ``Fields``.
"""

import functools
import platform
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import binding, ir
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
HALF_IN_HARDWARE = bool(binding.get_host_cpu_features().get("f16c")) or platform.machine() in (
    "aarch64",
    "arm64",
)
NEG_INF = np.float32(-np.inf)
ZERO, HALF = np.float32(0), np.float32(0.5)
SQRT2 = np.float32(2**0.5)
# Query rows that share one pass over the keys; more would push the tile out of the second-level cache.
ITEM_QUERIES = 64
SPANS_A_THREAD = (
    4  # a thread that the system holds up then delays a quarter of its share, not all of it
)


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


FLOAT32, BFLOAT16, FLOAT16 = range(3)


class Query(NamedTuple):
    """A contiguous tensor ``[B, Hq, L, D]``: its address, how numbers are stored in it, and its shape."""

    address: int
    stored: int
    batch: int
    heads: int
    length: int
    size: int


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
# Becomes part of its caller before that is compiled: a compiled function is optimized again in every function
# that calls it, and those in the callers of those.
part_of_caller = jit(fastmath=False, inline="always")


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
        return (lambda x: _half(x)) if HALF_IN_HARDWARE else _half_by_bits
    return None


@intrinsic
def _half(typingctx: Any, x: Any) -> Any:
    """A float16, given as an int16, as float32: one instruction for eight of them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.int16), generate


def _half_by_bits(x):
    """The same where the processor has no such instruction."""
    bits = np.uint32(np.uint16(x))
    # The exponent's bias is 15 in float16 and 127 in float32; the product repairs it, subnormals too.
    size = np.uint32((bits & 0x7FFF) << 13).view(np.float32) * np.float32(2.0**112)
    special = 0x7F800000 if (bits & 0x7C00) == 0x7C00 else 0
    sign = (bits & 0x8000) << 16
    return np.uint32(np.float32(size).view(np.uint32) | special | sign).view(np.float32)


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


@intrinsic
def _pointer(typingctx: Any, address: Any) -> Any:
    """An address as a pointer, for ``numba.carray``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


@intrinsic
def _next(typingctx: Any, address: Any) -> Any:
    """Adds one to the int64 at an address, which other threads do too; returns what it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", where, ir.IntType(64)(1), "monotonic")

    return types.int64(types.int64), generate


@intrinsic
def _call(typingctx: Any, task: Any, data: Any) -> Any:
    """Calls ``void task(void *data)``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer])
        task = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(task, [builder.inttoptr(arguments[1], pointer)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _call_team(typingctx: Any, run: Any, task: Any, data: Any, threads: Any) -> Any:
    """Calls ``run`` of a ``Team``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        task_kind = ir.FunctionType(ir.VoidType(), [pointer]).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [task_kind, pointer, number, number])
        run = builder.inttoptr(arguments[0], kind.as_pointer())
        task = builder.inttoptr(arguments[1], task_kind)
        data = builder.inttoptr(arguments[2], pointer)
        builder.call(run, [task, data, builder.trunc(arguments[3], number), number(0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), generate


# Inlined, or a call a row would cost more than what it asks for.
@jit(fastmath=False, forceinline=True)
def _prefetch_rows(table, head, rows, low, high):
    """Asks for rows that are needed soon: kept clusters are short and far apart, so the processor's own
    guess, the next line, is wrong at every cluster's end (measured: 62 against 28 ns a row)."""
    bytes_a_row = table.shape[2] * table.itemsize
    base = table.ctypes.data + head * table.shape[1] * bytes_a_row
    for j in range(low, high):
        line = base + rows[j] * bytes_a_row
        end = line + bytes_a_row
        while line + 4 * LINE <= end:
            _prefetch_line(line)
            _prefetch_line(line + LINE)
            _prefetch_line(line + 2 * LINE)
            _prefetch_line(line + 3 * LINE)
            line += 4 * LINE
        while line < end:
            _prefetch_line(line)
            line += LINE


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
            few = (low, fours, low == 0)
            _logits_of_fours(query, keys, head, rows, count, few, later, later_rows, logits)
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
def _logits_of_fours(query, keys, head, rows, count, few, later, later_rows, logits):
    """As ``_logits_row_by_row`` for a multiple of four queries: two rows at a time."""
    low, high, asks = few
    size = query.shape[1]
    for j in range(0, count, 2):
        r0, r1 = rows[j], rows[min(j + 1, count - 1)]
        if asks:
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


@sums
def _logits_of_one(query, keys, head, starts, lengths, runs, cap, logits):
    """As ``_logits`` for one query ``[1, D]`` and runs of rows, in the order of memory, asking for nothing:
    within a run the processor reads ahead by itself, and one query leaves it little else to do (measured,
    with ``_weigh_one``, at 64K keys, 8 heads, 10 % kept: 4.2 in place of 4.9 ms).
    """
    at = 0
    for run in range(runs):
        rows = keys[head, starts[run] : starts[run] + lengths[run]]
        _logits_of_run(query[0], rows, logits[0, at:])
        at += lengths[run]
    _cap_all(logits, at, cap)


@sums
def _logits_of_run(query, keys, logits):
    # Widening 16-bit keys sets the pace: two rows side by side.
    whole = keys.shape[0] - keys.shape[0] % 2 if keys.itemsize < 4 else 0
    for j in range(0, whole, 2):
        a = b = ZERO
        for d in range(query.shape[0]):
            a += query[d] * widen(keys[j, d])
            b += query[d] * widen(keys[j + 1, d])
        logits[j], logits[j + 1] = a, b
    for j in range(whole, keys.shape[0]):
        s = ZERO
        for d in range(query.shape[0]):
            s += query[d] * widen(keys[j, d])
        logits[j] = s


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


@sums
def _weigh_one(weights, values, head, starts, lengths, runs, sums):
    """As ``_weigh`` for one query and runs of rows; see ``_logits_of_one``."""
    at = 0
    for run in range(runs):
        rows = values[head, starts[run] : starts[run] + lengths[run]]
        _weigh_run(weights[0, at:], rows, sums[0])
        at += lengths[run]


@sums
def _weigh_run(weights, values, sums):
    whole = values.shape[0] - values.shape[0] % 2
    for j in range(0, whole, 2):
        w0, w1 = weights[j], weights[j + 1]
        for d in range(sums.shape[0]):
            sums[d] += w0 * widen(values[j, d]) + w1 * widen(values[j + 1, d])
    for j in range(whole, values.shape[0]):
        w = weights[j]
        for d in range(sums.shape[0]):
            sums[d] += w * widen(values[j, d])


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
def _scaled(source, scale, out):
    for i in range(len(out)):
        out[i] = widen(source[i]) * scale


@exact
def _grouped(query, heads, scale):
    """Scaled queries in float32, ``[B, H, G, L, D]``, of a ``Query``."""
    shape = (query.batch, heads, query.heads // heads, query.length, query.size)
    grouped = np.empty(shape, np.float32)
    out = grouped.ravel()
    where, count = _pointer(query.address), (len(out),)
    if query.stored == FLOAT32:
        _scaled(numba.carray(where, count, np.float32), np.float32(scale), out)
    elif query.stored == BFLOAT16:
        _scaled(numba.carray(where, count, np.uint16), np.float32(scale), out)
    else:
        _scaled(numba.carray(where, count, np.int16), np.float32(scale), out)
    return grouped


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


# The fields that hand a step's arrays to its task, an int64 array: spans that were taken, that were done, and
# that there are; the rest is the step's own.
TAKEN, DONE, SPANS = range(3)
FIELDS = 48


@exact
def _put(fields, at, array):
    """Writes an array's address and shape; returns the place after them."""
    fields[at] = array.ctypes.data
    for k in range(array.ndim):
        fields[at + 1 + k] = array.shape[k]
    return at + 1 + array.ndim


@exact
def _floats(fields, at):
    """A float32 matrix that was ``_put``; what it returns holds no reference, as all of these."""
    return numba.carray(_pointer(fields[at]), (fields[at + 1], fields[at + 2]), np.float32)


@exact
def _integers(fields, at):
    return numba.carray(_pointer(fields[at]), (fields[at + 1],), np.int64)


@exact
def _put_work(fields, spans, plan, cap, query):
    """The first fields of every step; returns the place after them."""
    fields[SPANS] = spans
    fields[3], fields[4], fields[5] = plan.length, plan.block, plan.sub
    fields[6] = np.float32(cap).view(np.int32)
    at = _put(fields, 7, plan.starts)
    at = _put(fields, at, plan.before)
    at = _put(fields, at, plan.first)
    at = _put(fields, at, plan.work)
    return _put(fields, at, query)


@exact
def _work(fields):
    """Plan, cap and query as they were put, and the place after them."""
    plan = Plan(
        _integers(fields, 7),
        _integers(fields, 9),
        _integers(fields, 11),
        _integers(fields, 13),
        fields[3],
        fields[4],
        fields[5],
    )
    shape = (fields[16], fields[17], fields[18], fields[19], fields[20])
    query = numba.carray(_pointer(fields[15]), shape, np.float32)
    return plan, np.int32(fields[6]).view(np.float32), query, 21


@exact
def _take(fields):
    """The next span; there may be no such one."""
    return _next(fields.ctypes.data + 8 * TAKEN)


@exact
def _done(fields):
    _next(fields.ctypes.data + 8 * DONE)


@exact
def _spans(team, rows, each):
    """Equal shares to cut rows of ``each`` multiply-adds into; one if there is one thread or little to do.

    No share is empty: an empty one would leave no result where the merge looks for it.
    """
    if team.threads == 1:
        return 1
    return max(1, min(team.threads * SPANS_A_THREAD, rows * each // team.worth, rows))


@exact
def _share(team, fields, held):
    """Runs a step's task until all spans are done: whoever is free takes the next.

    ``held``: the arrays whose addresses are among the fields. Numba frees an array after its last use, which
    must not be before this.
    """
    fields[TAKEN] = fields[DONE] = 0
    threads = min(team.threads, fields[SPANS])
    if threads > 1:
        _call_team(team.run, team.task, fields.ctypes.data, threads)
    else:
        _call(team.task, fields.ctypes.data)
    if fields[DONE] != fields[SPANS]:
        raise MemoryError("a thread of the cpu backend found no memory for its part")


def _task(function: Callable[..., Any]) -> Any:
    """A function of the fields' address, as C code.

    Were other compiled functions among its free variables, it would be compiled in every process: the cache
    knows those by a number that changes.
    """
    kind = types.void(types.CPointer(types.int64))
    try:
        return numba.cfunc(kind, cache=True, error_model="numpy")(function)
    except RuntimeError:  # as in ``jit``
        return numba.cfunc(kind, error_model="numpy")(function)


@exact
def _take_runs(plan, j, place, stop, starts, lengths):
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


@exact
def _rows_of(starts, lengths, runs, rows):
    """Writes the row numbers of runs."""
    count = 0
    for run in range(runs):
        for k in range(lengths[run]):
            rows[count] = starts[run] + k
            count += 1


@exact
def _next_item(work, item):
    """The next item that has rows."""
    item += 1
    while item + 1 < len(work) and work[item + 1] == work[item]:
        item += 1
    return item


@part_of_caller
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
    starts, next_starts = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    lengths, next_lengths = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
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
        count, runs, j = _take_runs(plan, j, here, stop, starts, lengths)
        _rows_of(starts, lengths, runs, rows)
        while count:
            here += count
            ahead, runs_ahead, j = _take_runs(plan, j, here, stop, next_starts, next_lengths)
            if used == 1:
                _prefetch_rows(values, head, starts, 0, runs)
                _logits_of_one(mine, keys, head, starts, lengths, runs, cap, tile)
                _softmax(tile, count, top, total, part)
                _prefetch_rows(keys, head, next_starts, 0, runs_ahead)
                _weigh_one(tile, values, head, starts, lengths, runs, part)
            else:
                _rows_of(next_starts, next_lengths, runs_ahead, following)
                following[ahead:count] = rows[0]  # nothing more to ask for
                if used < MANY or size > SHORT:
                    _logits(mine, keys, head, rows, count, cap, values, rows, tile)
                else:
                    _turn(keys, head, rows, count, turned)
                    _logits_by_columns(mine, turned, count, cap, tile)
                _softmax(tile, count, top, total, part)
                _weigh(tile, keys, values, head, rows, count, following, part)
                rows, following = following, rows
            starts, next_starts = next_starts, starts
            lengths, next_lengths = next_lengths, lengths
            count, runs = ahead, runs_ahead
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


@part_of_caller
def _attend_body(fields, stored):
    plan, cap, query, at = _work(fields)
    table = (fields[at], fields[at + 1], fields[at + 2])
    keys = numba.carray(_pointer(fields[at + 3]), table, stored)
    values = numba.carray(_pointer(fields[at + 4]), table, stored)
    slots = (fields[at + 6], fields[at + 7], fields[at + 8])
    out = numba.carray(_pointer(fields[at + 5]), slots, np.float32)
    lse = _floats(fields, at + 9)
    spans, span = fields[SPANS], _take(fields)
    while span < spans:
        attend_span(query, keys, values, plan, cap, span, spans, out, lse)
        _done(fields)
        span = _take(fields)


@functools.cache
def attend_task(stored: Any) -> Any:
    """The task of ``attend`` for keys and values of a stored type."""

    def task(data):
        _attend_body(numba.carray(data, (FIELDS,)), stored)

    return _task(task)


@exact
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


@exact
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


@exact
def _rows(keep, shape, offsets, total):
    """``ranges`` for addresses of ``keep``, whose shape is ``shape``, and of int32 ``offsets``.

    0 in place of ``keep``: all rows; 0 in place of ``offsets``: each group is one row.
    """
    batch, heads, blocks, groups = shape
    if keep == 0:
        sources = batch * heads * blocks
        number = np.arange(sources + 1)
        return np.zeros(sources, np.int64), total * number, number
    ends = numba.carray(_pointer(offsets), (heads if offsets else 0, groups + 1), np.int32)
    return ranges(numba.carray(_pointer(keep), shape, np.bool_), ends, total)


@exact
def attend(team, query, heads, scale, cap, table, keep, shape, offsets, block):
    """Attention over the rows of kept groups.

    ``query``: a ``Query``. ``heads``: KV heads. ``table``: addresses of keys and values ``[K, N, D]``, K and
    N; K is ``heads``, shared by the batch, or ``B * heads``. ``keep``, its ``shape`` and ``offsets``: as in
    ``_rows``.
    Returns the output ``[B, H, G, L, D]`` and its log-sum-exp ``[B, H, G, L]``.
    """
    keys, values, count, total = table
    starts, before, first = _rows(keep, shape, offsets, total)
    grouped = _grouped(query, heads, scale)
    groups, length, size = grouped.shape[2:]
    sub = max(1, min(block, ITEM_QUERIES // groups))
    plan = Plan(starts, before, first, before, length, block, sub)
    plan = Plan(starts, before, first, divide(plan), length, block, sub)
    spans = _spans(team, plan.work[-1], 2 * groups * sub * size)
    slots = len(plan.work) - 1 + spans
    out = np.empty((slots, groups * sub, size), np.float32)
    lse = np.empty((slots, groups * sub), np.float32)
    fields = np.empty(FIELDS, np.int64)
    at = _put_work(fields, spans, plan, cap, grouped)
    fields[at], fields[at + 1], fields[at + 2] = count, total, size
    fields[at + 3], fields[at + 4] = keys, values
    _put(fields, _put(fields, at + 5, out), lse)
    _share(team, fields, (plan, grouped, out, lse))
    whole, whole_lse = np.empty_like(grouped), np.empty(grouped.shape[:4], np.float32)
    merge_spans(plan, spans, out, lse, whole, whole_lse)
    return whole, whole_lse


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


@part_of_caller
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
    starts, next_starts = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    lengths, next_lengths = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
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
        count, runs, j = _take_runs(plan, j, place, stop, starts, lengths)
        _rows_of(starts, lengths, runs, rows)
        while count:
            ahead, runs_ahead, j = _take_runs(
                plan, j, place + count, stop, next_starts, next_lengths
            )
            _rows_of(next_starts, next_lengths, runs_ahead, following)
            following[ahead:count] = rows[0]  # nothing more to ask for
            if used == 1:
                _prefetch_rows(centroids, head, next_starts, 0, runs_ahead)
                _logits_of_one(mine, centroids, head, starts, lengths, runs, cap, tile)
            elif used < MANY or size > SHORT:
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
            starts, next_starts = next_starts, starts
            lengths, next_lengths = next_lengths, lengths
            place += count
            count, runs = ahead, runs_ahead
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


@part_of_caller
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


@part_of_caller
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


SCORE, FOLD, FINISH = 0, 1, 2


@part_of_caller
def _lookup_body(fields, stored):
    plan, cap, query, at = _work(fields)
    phase, k, groups = fields[at], fields[at + 1], fields[at + 2]
    table = (fields[at + 4], fields[at + 5], fields[at + 6])
    centroids = numba.carray(_pointer(fields[at + 3]), table, stored)
    counts = numba.carray(_pointer(fields[at + 7]), table[:2], np.int32)
    valid = numba.carray(_pointer(fields[at + 8]), (fields[at + 9], fields[at + 10]), np.bool_)
    logits, lse = _floats(fields, at + 11), _floats(fields, at + 14)
    top, total = _floats(fields, at + 17), _floats(fields, at + 20)
    out = _floats(fields, at + 23)
    spans, span = fields[SPANS], _take(fields)
    while span < spans:
        if phase == SCORE:
            score_span(query, centroids, counts, plan, k, cap, span, spans, logits, lse)
        elif phase == FOLD:
            fold_span(valid, plan, k, span, spans, groups, logits, lse, top, total)
        else:
            finish_scores(valid, plan, span, spans, groups, top, total, out)
        _done(fields)
        span = _take(fields)


@functools.cache
def lookup_task(stored: Any) -> Any:
    """The task of ``lookup`` for centroids of a stored type."""

    def task(data):
        _lookup_body(numba.carray(data, (FIELDS,)), stored)

    return _task(task)


@exact
def lookup(team, query, scale, cap, centroids, counts, shape, valid, candidates, block, mean, room):
    """Log scores ``[sources, C]`` of clusters; what is no candidate gets ``-inf``.

    ``query``: a ``Query``. ``centroids``, ``counts``: addresses of ``[H, C, D]`` and int32 ``[H, C]``.
    ``shape``: B, H, T and C. ``valid``: address of bool ``[B, L]``, the query tokens that count, or 0: all.
    ``candidates``: address of bool ``[B, H, T, C]``, or 0: all. ``mean`` over query heads, or their maximum.
    ``room``: logits held at once; a block's tokens are taken in as many passes as that asks for.
    """
    batch, heads, _, clusters = shape
    starts, before, first = _rows(candidates, shape, 0, clusters)
    grouped = _grouped(query, heads, scale)
    groups, length, size = grouped.shape[2:]
    if valid:
        seen = numba.carray(_pointer(valid), (batch, length), np.bool_)
    else:
        seen = np.ones((batch, length), np.bool_)
    places = before[-1]
    sub = max(1, min(block, ITEM_QUERIES // groups, room // max(1, groups * places)))
    plan = Plan(starts, before, first, before[first], length, block, sub)
    spans = _spans(team, places, groups * sub * size)
    logits = np.empty((groups * sub, places), np.float32)
    lse = np.empty((len(first) + spans, groups * sub), np.float32)
    top = np.empty((1 if mean else groups, places), np.float32)
    total = np.empty_like(top)
    out = np.empty((len(first) - 1, clusters), np.float32)
    fields = np.empty(FIELDS, np.int64)
    at = _put_work(fields, spans, plan, cap, grouped)
    fields[at + 2] = groups
    fields[at + 3], fields[at + 4], fields[at + 5], fields[at + 6] = (
        centroids,
        heads,
        clusters,
        size,
    )
    fields[at + 7] = counts
    _put(fields, at + 8, seen)
    _put(fields, _put(fields, at + 11, logits), lse)
    _put(fields, _put(fields, _put(fields, at + 17, top), total), out)
    held = (plan, grouped, seen, logits, lse, top, total, out)
    for k in range(_blocks(plan)[1]):
        for phase in (SCORE, FOLD):
            fields[at], fields[at + 1] = phase, k
            _share(team, fields, held)
    fields[at], fields[SPANS] = FINISH, min(spans, len(out))
    _share(team, fields, held)
    return out


@exact
def merge(first, second, rows, size):
    """Attention over the union of two sets of keys: ``first`` and ``second`` are the addresses of an output
    ``[rows, size]`` and its log-sum-exp ``[rows]``, both float32."""
    out, lse = np.empty((rows, size), np.float32), np.empty(rows, np.float32)
    a = numba.carray(_pointer(first[0]), (rows, size), np.float32)
    b = numba.carray(_pointer(second[0]), (rows, size), np.float32)
    a_lse = numba.carray(_pointer(first[1]), (rows,), np.float32)
    b_lse = numba.carray(_pointer(second[1]), (rows,), np.float32)
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
