"""Attention of the last queries over the whole fixed context, which tells what they look at.

The softmax runs over all keys, those of the observation window included, and only then is the window's part
cut off. So a head that looks at the window alone gives little to every other key, which matters wherever
scores of heads or of queries are compared. A softmax over the other keys alone would give each an equal vote.
"""

from collections.abc import Iterator

import torch
from squeezed_kernels import capped, causal_mask

from squeezed.index.layer import LayerIndex


def window_queries(layer: LayerIndex, use: str) -> torch.Tensor:
    """The observation window's queries by KV head, ``[H, G, W, D]``, where they are kept.

    Args:
        use: who does what with them, for the message: ``SnapKV observes``.

    Raises:
        ValueError: the context kept no window queries.
    """
    if layer.queries is None:
        raise ValueError(
            f"{use} the window's queries, and this context kept none; prepare it with keep_queries=True"
        )
    return layer.queries.unflatten(0, (layer.heads, -1))


def window_weights(layer: LayerIndex, queries: int, method: str) -> Iterator[torch.Tensor]:
    """Weights of the last window queries on the clustered rows, for one KV head after the other.

    Args:
        queries: how many of the window's last queries look. method: that asks, for messages.

    Yields:
        float32 ``[G, w, M]`` in cluster order; sums over M are below 1 by what the window gets.

    Raises:
        ValueError: the context kept no window queries.
    """
    last = window_queries(layer, f"{method} observes")[:, :, -queries:]
    for head in range(layer.heads):
        keys = layer.keys[head].to(layer.device)
        logits = _logits(layer, last[head].to(layer.device), keys)
        causal = causal_mask(logits.shape[1], layer.tokens, logits.device)[0]
        yield logits.masked_fill_(~causal, -torch.inf).softmax(-1)[..., : layer.clustered]


def input_weights(
    layer: LayerIndex, query: torch.Tensor, own: torch.Tensor | None
) -> Iterator[torch.Tensor]:
    """The same for a user input's queries, which see the whole context, for one KV head after the other.

    Args:
        query: ``[Hq, L, D]``, of one user input. own: log-sum-exp of their logits over the own tokens,
            ``[Hq, L]``, which belongs into the denominator; ``None``: left out.

    Yields:
        float32 ``[G, L, M]`` in cluster order.
    """
    grouped = query.unflatten(0, (layer.heads, -1))
    for head in range(layer.heads):
        logits = _logits(layer, grouped[head], layer.keys[head].to(query.device))
        total = logits.logsumexp(-1, keepdim=True)
        if own is not None:
            total = total.logaddexp(own.unflatten(0, (layer.heads, -1))[head].unsqueeze(-1))
        yield (logits[..., : layer.clustered] - total).exp()


def _logits(layer: LayerIndex, query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """``[G, L, N]`` in float32."""
    return capped(layer.scale * query.float() @ keys.float().T, layer.softcap)


def attention_spread(layer: LayerIndex, queries: int) -> tuple[float, float]:
    """How the window's attention to the clustered keys spreads and shifts: the entropy of a query's weights,
    and their variance over the queries; both summed up, averages over the query heads."""
    entropy, variance, heads = 0.0, 0.0, 0
    for weights in window_weights(layer, queries, "a division between layers by attention"):
        entropy -= float(torch.xlogy(weights, weights).sum((1, 2)).sum())
        variance += float(weights.var(1, correction=0).sum())
        heads += len(weights)
    return entropy / heads, variance / heads
