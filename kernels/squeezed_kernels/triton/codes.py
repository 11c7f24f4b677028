"""Triton kernel of the lookup of keys by their codes."""

import triton
import triton.language as tl


@triton.jit
def logits_of_codes(
    tables, base, codes, owners, out, count, groups, share, queries,
    BYTES: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """Logits of ``BLOCK_M`` keys for one query: its group's, and a sum of the query's table for each byte.

    ``tables [B * Hq * L, BYTES, 256]``, ``base [B * Hq * L, C]``, ``codes [H, M, BYTES]``, ``owners
    [H, M]`` the group of each key, ``out [B * Hq * L, M]``. ``share``: rows of queries that share a KV head,
    ``G * L``; ``queries``: those of one member of the batch, ``Hq * L``.
    """
    row = tl.program_id(1).to(tl.int64)
    head = row % queries // share
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    here = m < count
    key = head * count + m
    total = tl.load(
        base + row * groups + tl.load(owners + key, mask=here, other=0), mask=here, other=0.0
    )
    for byte in tl.static_range(BYTES):
        code = tl.load(codes + key * BYTES + byte, mask=here, other=0).to(tl.int32)
        total += tl.load(tables + (row * BYTES + byte) * 256 + code, mask=here, other=0.0)
    tl.store(out + row * count + m, total, mask=here)
