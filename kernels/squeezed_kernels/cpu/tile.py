"""What is done with a tile, a few rows of keys, values or centroids: logits, softmax, weighted sums."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from squeezed_kernels.cpu.jit import inner_sums, jit
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp, widen

# Rows whose logits are held at once: 64 x 512 bytes of keys stay in the first-level cache.
TILE = 64
# Queries that meet a tile together: 8 x 512 bytes stay in the first-level cache beside it.
QUERIES = 8
# Queries from which on a tile is copied and multiplied as a matrix (``tile_many``).
MANY = 16
LINE = 64  # bytes of a cache line


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


# Inlined, or a call a row would cost more than what it asks for.
@jit(fastmath=False, forceinline=True)
def prefetch_rows(table, head, rows, low, high):
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


@inner_sums
def fill_logits(query, keys, head, rows, count, cap, later, later_rows, logits):
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


@inner_sums
def _logits_row_by_row(query, keys, head, rows, count, few, later, later_rows, logits):
    """As ``fill_logits`` for fewer than four queries; ``few``: the first, the one after the last, and whether
    to ask for the later rows."""
    low, high, asks = few
    for j in range(count):
        if asks:
            prefetch_rows(later, head, later_rows, j, j + 1)
        for q in range(low, high):
            s = ZERO
            for d in range(query.shape[1]):
                s += query[q, d] * widen(keys[head, rows[j], d])
            logits[q, j] = s


@inner_sums
def _logits_by_pairs(query, keys, head, rows, count, few, later, later_rows, logits):
    """As ``_logits_row_by_row`` for 16-bit keys: widening them, not memory, sets the pace there, and two rows
    side by side keep the processor busier (26 against 34 ns a row of 128; 32-bit rows lose by it)."""
    low, high, asks = few
    for j in range(0, count, 2):
        r0, r1 = rows[j], rows[min(j + 1, count - 1)]
        if asks:
            prefetch_rows(later, head, later_rows, j, min(j + 2, count))
        for q in range(low, high):
            a = b = ZERO
            for d in range(query.shape[1]):
                a += query[q, d] * widen(keys[head, r0, d])
                b += query[q, d] * widen(keys[head, r1, d])
            logits[q, j] = a
            if j + 1 < count:
                logits[q, j + 1] = b


@inner_sums
def _logits_of_fours(query, keys, head, rows, count, few, later, later_rows, logits):
    """As ``_logits_row_by_row`` for a multiple of four queries: two rows at a time."""
    low, high, asks = few
    size = query.shape[1]
    for j in range(0, count, 2):
        r0, r1 = rows[j], rows[min(j + 1, count - 1)]
        if asks:
            prefetch_rows(later, head, later_rows, j, min(j + 2, count))
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


@inner_sums
def fill_logits_of_one(query, keys, head, starts, lengths, runs, cap, logits):
    """As ``fill_logits`` for one query ``[1, D]`` and runs of rows, in the order of memory, asking for none
    of them: within a run the processor reads ahead by itself, and one query leaves it little else to do
    (measured, with ``weigh_one``, at 64K keys, 8 heads, 10 % kept: 4.2 in place of 4.9 ms).
    """
    at = 0
    for run in range(runs):
        rows = keys[head, starts[run] : starts[run] + lengths[run]]
        _logits_of_run(query[0], rows, logits[0, at:])
        at += lengths[run]
    _cap_all(logits, at, cap)


@inner_sums
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


@inner_sums
def _cap_all(logits, count, cap):
    if cap > 0:
        for q in range(logits.shape[0]):
            for j in range(count):
                logits[q, j] = cap * np.tanh(logits[q, j] / cap)


@inner_sums
def softmax(logits, count, top, total, sums):
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


@inner_sums
def weigh(weights, keys, values, head, rows, count, following, sums):
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
                prefetch_rows(keys, head, following, j, j + 2)
            for q in range(low, high):
                w0, w1 = weights[q, j], weights[q, j + 1]
                for d in range(size):
                    sums[q, d] += w0 * widen(values[head, r0, d]) + w1 * widen(values[head, r1, d])
        for j in range(whole, count):
            for q in range(low, high):
                w = weights[q, j]
                for d in range(size):
                    sums[q, d] += w * widen(values[head, rows[j], d])


@inner_sums
def weigh_one(weights, values, head, starts, lengths, runs, sums):
    """As ``weigh`` for one query and runs of rows; see ``fill_logits_of_one``."""
    at = 0
    for run in range(runs):
        rows = values[head, starts[run] : starts[run] + lengths[run]]
        _weigh_run(weights[0, at:], rows, sums[0])
        at += lengths[run]


@inner_sums
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
