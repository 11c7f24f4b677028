"""What is done with a tile for many queries: products whose sums stay in registers (``products``).

Queries stand in columns, ``[D, Q]`` and logits ``[TILE, Q]``: then neither the tile's rows nor its weights
have to be turned, and a softmax is many in parallel. Q is padded to whole vectors, by queries of zeros.
"""

import numpy as np

from squeezed_kernels.cpu.jit import inner, inner_sums
from squeezed_kernels.cpu.numbers import NEG_INF, ZERO, exp, widen
from squeezed_kernels.cpu.products import LANES, add_product, multiply


@inner
def padded(count):
    """A number of columns in whole vectors."""
    return (count + LANES - 1) // LANES * LANES


@inner
def turn_queries(queries, turned):
    """Writes queries ``[used, D]`` as columns of ``turned [D, Q]``; what is left of them becomes 0."""
    for q in range(turned.shape[1]):
        for d in range(turned.shape[0]):
            turned[d, q] = queries[q, d] if q < len(queries) else ZERO


@inner
def copy_rows(table, head, rows, count, out):
    """Copies a tile's rows as float32 to ``out [TILE, D or more]``."""
    for j in range(count):
        row = rows[j]
        for d in range(table.shape[2]):
            out[j, d] = widen(table[head, row, d])


@inner_sums
def fill_logits_of_many(keys, turned, count, cap, logits):
    """Logits ``[TILE, Q]`` of a tile's first ``count`` rows; ``keys [TILE, D]``, ``turned [D, Q]``."""
    multiply(keys[:count], turned, logits[:count])
    if cap > 0:
        for j in range(count):
            for q in range(logits.shape[1]):
                logits[j, q] = cap * np.tanh(logits[j, q] / cap)


@inner_sums
def exponentiate(logits, count, highest, base):
    """Turns a tile's logits into ``e ** (logit - highest)``, under the maximum of each query that is in
    ``highest [Q]`` and of the tile; ``base [Q]`` is scratch."""
    queries = len(highest)
    for j in range(count):
        for q in range(queries):
            highest[q] = max(highest[q], logits[j, q])
    for q in range(queries):
        base[q] = ZERO if highest[q] == NEG_INF else highest[q]
    for j in range(count):
        for q in range(queries):
            logits[j, q] = exp(logits[j, q] - base[q])


@inner_sums
def softmax_of_many(logits, count, top, total, factor, base, weighed):
    """As ``tile.softmax``, with logits ``[TILE, Q]`` and what was summed before ``weighed [used, D]``;
    ``factor`` and ``base [Q]`` are scratch."""
    queries = len(top)
    for q in range(queries):
        factor[q] = top[q]
    exponentiate(logits, count, top, base)
    changed = False
    for q in range(queries):
        changed |= factor[q] != top[q]
        factor[q] = exp(factor[q] - base[q])
        total[q] *= factor[q]
    for j in range(count):
        for q in range(queries):
            total[q] += logits[j, q]
    if changed:
        for q in range(weighed.shape[0]):
            for d in range(weighed.shape[1]):
                weighed[q, d] *= factor[q]


@inner
def weigh_many(weights, values, count, weighed):
    """Adds a tile's weighted values to ``weighed [used, D]``; ``weights [TILE, Q]``, ``values [TILE, D]``."""
    add_product(weights[:count], values[:count], weighed)
