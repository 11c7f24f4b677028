"""Plain PyTorch operations: the specification of every backend.

Shapes: B batch, Hq query heads, H KV heads, G = Hq / H, L query tokens, N keys, C clusters, D head size.
Query head h reads KV head h // G. Everything is computed in float32 (float64 for float64 input).
"""

import torch

QUERY_BLOCK = 512  # query tokens scored at once: bounds the [B, H, G * block, N] logits


def lookup(
    query: torch.Tensor, centroids: torch.Tensor, counts: torch.Tensor, scale: float
) -> torch.Tensor:
    """Log of the mean score per key of every cluster (paper section 3.2).

    For one query, a key of cluster i scores ``exp(a_i) / sum_j counts_j exp(a_j)`` with
    ``a_i = scale * q . centroid_i``; the mean runs over query tokens and over the query heads that share a
    KV head. All in log space, so logits of any size stay finite.

    Args:
        query: ``[B, Hq, L, D]``. centroids: ``[H, C, D]``. scale: softmax scale.
        counts: keys per cluster, integers ``[H, C]``; empty clusters score ``-inf``.

    Returns:
        ``[B, H, C]`` log scores, float32 or float64.
    """
    grouped = _group_heads(query, centroids.shape[0])
    batch, heads, groups, length, size = grouped.shape
    wide = _wide(query.dtype)
    transposed = centroids.to(wide).transpose(1, 2)
    log_counts = counts.to(wide).log()  # log 0 = -inf drops empty clusters
    total = torch.full(
        (batch, heads, centroids.shape[1]), -torch.inf, dtype=wide, device=query.device
    )
    for start in range(0, length, QUERY_BLOCK):
        block = grouped[:, :, :, start : start + QUERY_BLOCK].reshape(batch, heads, -1, size)
        logits = scale * block.to(wide) @ transposed
        logits = logits.masked_fill((counts == 0)[:, None], -torch.inf)
        shares = logits - (logits + log_counts[:, None]).logsumexp(-1, keepdim=True)
        total = torch.logaddexp(total, shares.logsumexp(-2))
    return total - torch.log(torch.tensor(float(groups * length), dtype=wide, device=query.device))


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Exact attention over the rows a mask keeps, with its log-sum-exp.

    Args:
        query: ``[B, Hq, L, D]``. keys, values: ``[B or 1, H, N, D]``. scale: softmax scale.
        mask: boolean, broadcastable to ``[B, H, L, N]``, true where a query may look; ``None`` keeps all.

    Returns:
        Output ``[B, Hq, L, D]`` and log-sum-exp ``[B, Hq, L]``, float32 or float64. A query that sees no row
        gets zeros and ``-inf``.
    """
    heads, length = keys.shape[1], query.shape[2]
    grouped = _group_heads(query, heads)
    wide = _wide(query.dtype)
    wide_keys = keys.to(wide).transpose(2, 3).unsqueeze(2)
    wide_values = values.to(wide).unsqueeze(2)
    outputs, sums = [], []
    for start in range(0, length, QUERY_BLOCK):
        block = grouped[:, :, :, start : start + QUERY_BLOCK]
        logits = scale * block.to(wide) @ wide_keys
        if mask is not None:
            seen = mask if mask.shape[2] == 1 else mask[:, :, start : start + QUERY_BLOCK]
            logits = logits.masked_fill(~seen.unsqueeze(2), -torch.inf)
        lse = logits.logsumexp(-1)
        # A row without any key: subtract 0 instead of -inf, so that its weights are 0 and not NaN.
        shift = lse.masked_fill(lse == -torch.inf, 0.0)
        outputs.append((logits - shift.unsqueeze(-1)).exp() @ wide_values)
        sums.append(lse)
    output, lse = torch.cat(outputs, dim=3), torch.cat(sums, dim=3)
    return output.flatten(1, 2), lse.flatten(1, 2)


def merge(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over the union of two disjoint sets of keys, from the outputs over each.

    Args:
        first, second: output ``[B, Hq, L, D]`` and log-sum-exp ``[B, Hq, L]`` as ``attend`` returns them.

    Returns:
        The same pair for the union.
    """
    lse = torch.logaddexp(first[1], second[1])
    shift = lse.masked_fill(lse == -torch.inf, 0.0)
    weights = [(part[1] - shift).exp().unsqueeze(-1) for part in (first, second)]
    return weights[0] * first[0] + weights[1] * second[0], lse


def causal_mask(length: int, total: int, device: torch.device) -> torch.Tensor:
    """Boolean ``[1, 1, length, total]``: the last ``length`` of ``total`` tokens see up to themselves."""
    rows = torch.arange(total - length, total, device=device)
    return (torch.arange(total, device=device) <= rows[:, None])[None, None]


def _group_heads(query: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """``[B, Hq, L, D]`` as ``[B, H, G, L, D]``."""
    query_heads = query.shape[1]
    if query_heads % kv_heads:
        raise ValueError(f"{query_heads} query heads cannot share {kv_heads} KV heads evenly")
    return query.unflatten(1, (kv_heads, query_heads // kv_heads))


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
