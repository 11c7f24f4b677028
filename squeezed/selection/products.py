"""Products of queries with the rows of their KV head."""

import torch
from squeezed_kernels import group_heads, times


def products(query: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Scalar products of queries ``[B, Hq, L, D]`` with the rows ``[H, K, D]`` of their KV head.

    Returns:
        float32 ``[B, Hq, L, K]``.
    """
    grouped = group_heads(query.float(), len(rows))
    return times(grouped, rows.transpose(1, 2)[None]).flatten(1, 2)
