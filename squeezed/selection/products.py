"""Products of queries with the rows of their KV head."""

import torch
from squeezed_kernels import group_heads, times


def products(query: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Scalar products of queries ``[B, Hq, L, D]`` with the rows ``[H, K, D]`` of their KV head.

    Returns:
        float32 ``[B, Hq, L, K]``.
    """
    # The same product, with a third of the calls: a token would feel them.
    if len(query) == 1 and query.shape[1] % len(rows) == 0:
        by_head = query.float().reshape(len(rows), -1, query.shape[3])
        return torch.bmm(by_head, rows.transpose(1, 2)).view(*query.shape[:3], rows.shape[1])
    grouped = group_heads(query.float(), len(rows))
    return times(grouped, rows.transpose(1, 2)[None]).flatten(1, 2)
