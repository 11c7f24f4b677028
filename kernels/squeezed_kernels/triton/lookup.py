"""Triton kernels of the centroid lookup.

Centroids that are no candidates are masked out of the load, a row of D numbers each, so their bytes are not
read. Few query rows (decode): the logits are kept and the second half reads them. Many (a long user input):
they would not fit, and the second half computes them again from the centroids.
"""

import triton
import triton.language as tl

from squeezed_kernels.triton.common import block_tokens, capped, product


@triton.jit
def _centroid_block(
    centroids, counts, candidates, source, head, c, clusters,
    D: tl.constexpr, BLOCK_D: tl.constexpr, CANDIDATES: tl.constexpr,
):  # fmt: skip
    """Centroids ``[BLOCK_C, BLOCK_D]`` to score, and how many keys each stands for; 0: not to be scored."""
    d = tl.arange(0, BLOCK_D)
    keys = tl.load(counts + head * clusters + c, mask=c < clusters, other=0).to(tl.float32)
    if CANDIDATES:
        asked = tl.load(candidates + source * clusters + c, mask=c < clusters, other=0)
        keys = tl.where(asked != 0, keys, 0.0)
    inside = (keys > 0)[:, None] & (d < D)[None, :]
    rows = tl.load(
        centroids + (head * clusters + c)[:, None] * D + d[None, :], mask=inside, other=0.0
    )
    return rows, keys


@triton.jit
def _logits(
    query, rows, keys, base, groups_tokens, tokens, q, low, length, scale, cap,
    D: tl.constexpr, BLOCK_D: tl.constexpr, CAP: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Logits ``[BLOCK_Q, BLOCK_C]`` of query rows ``q`` of a source; ``-inf`` where no key stands."""
    d = tl.arange(0, BLOCK_D)
    row = base * length + q // tokens * length + low + q % tokens
    used = (q < groups_tokens)[:, None] & (d < D)[None, :]
    mine = tl.load(query + row[:, None] * D + d[None, :], mask=used, other=0.0)
    logits = product(mine, tl.trans(rows), PRECISION) * scale
    if CAP:
        logits = capped(logits, cap)
    return tl.where((keys > 0)[None, :], logits, float("-inf"))


@triton.jit
def score_parts(
    query, centroids, counts, candidates, parts, kept_logits,
    scale, cap, clusters, heads, groups, length, blocks, block, room, tiles,
    D: tl.constexpr, CAP: tl.constexpr, CANDIDATES: tl.constexpr, KEEP: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """First half: every query's log-sum-exp over the keys of one tile of clusters.

    Writes ``parts [sources, room, tiles]`` and, if ``KEEP``, ``kept_logits [sources, room, C]``; ``room`` is
    the most query rows that a source has.
    """
    tile = tl.program_id(0)
    source = tl.program_id(1).to(tl.int64)
    head = source // blocks % heads
    c = tile * BLOCK_C + tl.arange(0, BLOCK_C)
    rows, keys = _centroid_block(
        centroids, counts, candidates, source, head, c, clusters, D, BLOCK_D, CANDIDATES
    )
    low, high = block_tokens(source, 0, blocks, block, block, length)
    tokens = high - low
    base = source // blocks * groups
    for first in range(0, groups * tokens, BLOCK_Q):
        q = first + tl.arange(0, BLOCK_Q)
        logits = _logits(
            query, rows, keys, base, groups * tokens, tokens, q, low, length, scale, cap,
            D, BLOCK_D, CAP, PRECISION,
        )  # fmt: skip
        top = tl.max(logits, axis=1)
        safe = tl.where(top == float("-inf"), 0.0, top)
        total = tl.sum(keys[None, :] * tl.exp(logits - safe[:, None]), axis=1)
        part = tl.where(total > 0, safe + tl.log(total), float("-inf"))
        used = q < groups * tokens
        tl.store(parts + (source * room + q) * tiles + tile, part, mask=used)
        if KEEP:
            address = (source * room + q)[:, None] * clusters + c[None, :]
            tl.store(kept_logits + address, logits, mask=used[:, None] & (c < clusters)[None, :])


@triton.jit
def _sum_parts(parts, row, tiles, BLOCK_T: tl.constexpr):
    """Log-sum-exp of one query's parts; 0 where there is none, so that it can be subtracted."""
    top = tl.full([], float("-inf"), tl.float32)
    total = tl.zeros([], tl.float32)
    for first in range(0, tiles, BLOCK_T):
        t = first + tl.arange(0, BLOCK_T)
        here = tl.load(parts + row * tiles + t, mask=t < tiles, other=float("-inf"))
        high = tl.maximum(top, tl.max(here, axis=0))
        safe = tl.where(high == float("-inf"), 0.0, high)
        total = total * tl.exp(top - safe) + tl.sum(tl.exp(here - safe), axis=0)
        top = high
    return tl.where(total > 0, top + tl.log(tl.where(total > 0, total, 1.0)), 0.0)


@triton.jit
def sum_parts(parts, totals, tiles, BLOCK_T: tl.constexpr):
    """``totals`` of all query rows, one a program."""
    row = tl.program_id(0).to(tl.int64)
    tl.store(totals + row, _sum_parts(parts, row, tiles, BLOCK_T))


@triton.jit
def _finish(top, total, tokens, groups, best, MAX: tl.constexpr):
    """Log of the mean over ``tokens`` (and heads, unless their maximum is asked for)."""
    found = tl.where(total > 0, top + tl.log(tl.where(total > 0, total, 1.0)), float("-inf"))
    if MAX:
        found = tl.maximum(best, found)
        together = tl.maximum(tokens, 1)
    else:
        together = tl.maximum(tokens, 1) * groups
    return found - tl.log(together.to(tl.float32))


@triton.jit
def scores_of_kept(
    kept_logits, parts, valid, out, clusters, heads, groups, length, blocks, block, room, tiles,
    VALID: tl.constexpr, MAX: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_T: tl.constexpr,
):  # fmt: skip
    """Second half from kept logits: scores of one tile of clusters, ``out [sources, C]``."""
    source = tl.program_id(1).to(tl.int64)
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    low, high = block_tokens(source, 0, blocks, block, block, length)
    tokens = high - low
    top = tl.full([BLOCK_C], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_C], tl.float32)
    best = tl.full([BLOCK_C], float("-inf"), tl.float32)
    seen = tl.zeros([], tl.int32)
    for g in range(groups):
        seen = tl.zeros([], tl.int32)
        for k in range(tokens):
            asked = 1
            if VALID:
                asked = tl.load(valid + source // blocks // heads * length + low + k).to(tl.int32)
            row = source * room + g * tokens + k
            logits = tl.load(
                kept_logits + row * clusters + c,
                mask=(c < clusters) & (asked != 0),
                other=float("-inf"),
            )
            shares = logits - _sum_parts(parts, row, tiles, BLOCK_T)
            high_now = tl.maximum(top, shares)
            safe = tl.where(high_now == float("-inf"), 0.0, high_now)
            total = total * tl.exp(top - safe) + tl.exp(shares - safe)
            top = high_now
            seen += asked
        if MAX:
            if g + 1 < groups:
                best = tl.maximum(best, tl.where(total > 0, top + tl.log(total), float("-inf")))
                top = tl.full([BLOCK_C], float("-inf"), tl.float32)
                total = tl.zeros([BLOCK_C], tl.float32)
    score = _finish(top, total, seen, groups, best, MAX)
    tl.store(out + source * clusters + c, score, mask=c < clusters)


@triton.jit
def scores_again(
    query, centroids, counts, candidates, totals, valid, out,
    scale, cap, clusters, heads, groups, length, blocks, block, room,
    D: tl.constexpr, CAP: tl.constexpr, CANDIDATES: tl.constexpr, VALID: tl.constexpr, MAX: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Second half that computes the logits again: scores of one tile of clusters, ``out [sources, C]``."""
    source = tl.program_id(1).to(tl.int64)
    head = source // blocks % heads
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    rows, keys = _centroid_block(
        centroids, counts, candidates, source, head, c, clusters, D, BLOCK_D, CANDIDATES
    )
    low, high = block_tokens(source, 0, blocks, block, block, length)
    tokens = high - low
    base = source // blocks * groups
    top = tl.full([BLOCK_C], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_C], tl.float32)
    best = tl.full([BLOCK_C], float("-inf"), tl.float32)
    seen = tl.zeros([], tl.int32)
    for g in range(groups):
        seen = tl.zeros([], tl.int32)
        for first in range(0, tokens, BLOCK_Q):
            k = first + tl.arange(0, BLOCK_Q)
            # One head's rows: as a source of one head.
            logits = _logits(
                query, rows, keys, base + g, tokens, tokens, k, low, length, scale, cap,
                D, BLOCK_D, CAP, PRECISION,
            )  # fmt: skip
            asked = k < tokens
            lse = tl.load(totals + source * room + g * tokens + k, mask=asked, other=0.0)
            if VALID:
                address = valid + source // blocks // heads * length + low + k
                asked = asked & (tl.load(address, mask=asked, other=0) != 0)
            shares = tl.where(asked[:, None], logits - lse[:, None], float("-inf"))
            high_now = tl.maximum(top, tl.max(shares, axis=0))
            safe = tl.where(high_now == float("-inf"), 0.0, high_now)
            total = total * tl.exp(top - safe) + tl.sum(tl.exp(shares - safe[None, :]), axis=0)
            top = high_now
            seen += tl.sum(asked.to(tl.int32), axis=0)
        if MAX:
            if g + 1 < groups:
                best = tl.maximum(best, tl.where(total > 0, top + tl.log(total), float("-inf")))
                top = tl.full([BLOCK_C], float("-inf"), tl.float32)
                total = tl.zeros([BLOCK_C], tl.float32)
    score = _finish(top, total, seen, groups, best, MAX)
    tl.store(out + source * clusters + c, score, mask=c < clusters)
