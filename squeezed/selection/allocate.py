"""How many rows each layer and head gets of a size that all share, where rows are chosen once by a score.

Everything here keeps the total: what one head gets, another does without. Scores are compared only where the
allocation says so.
"""

from collections.abc import Sequence

import torch


def uniform(rows: float, scores: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The same number for every head: ``rows``, at least 1; int64 ``[H]`` a layer."""
    return [
        torch.full((len(each),), min(max(1, round(rows)), each.shape[1]), dtype=torch.int64)
        for each in scores
    ]


def adaptive(scores: torch.Tensor, rows: int, floor: float) -> torch.Tensor:
    """Ada-KV (arXiv 2407.11550): a layer's heads share its rows by where the layer's best scores lie.

    Of the ``H * rows`` best keys of all heads, head h has ``c_h``. It gets ``(1 - floor) c_h + floor rows``.

    Args:
        scores: ``[H, M]``, comparable between heads. rows: a head on average. floor: share in [0, 1] that
            every head gets for certain.

    Returns:
        int64 ``[H]``.
    """
    heads, keys = scores.shape
    if rows >= keys:
        return torch.full((heads,), keys)
    best = scores.flatten().argsort(descending=True, stable=True)[: heads * rows]
    counts = torch.bincount(best // keys, minlength=heads)
    sizes = ((1 - floor) * counts + floor * rows).round().long()
    return sizes.clamp(max=keys).cpu()


def pyramid(rows: float, layers: int, most: int, beta: float) -> list[int]:
    """PyramidKV (arXiv 2406.02069): less for every layer, in equal steps, from the first to the last.

    The last layer gets ``rows // beta``, the first what keeps the mean, the steps are rounded down; if the
    first would get more than there is, it gets all and the last the rest.

    Args:
        rows: a layer on average. layers: their number. most: rows there are. beta: how much steeper.
    """
    rows = round(rows)
    if layers == 1:
        return [rows]
    low = int(rows // beta)
    high = 2 * rows - low
    if high > most:
        high, low = most, 2 * rows - most
    step = (high - low) // (layers - 1)
    return [max(1, high - number * step) for number in range(layers)]


def cake(
    entropy: Sequence[float], variance: Sequence[float], tau: tuple[float, float]
) -> list[float]:
    """CAKE (arXiv 2503.12491): each layer's share, by how spread and how shifting its attention is.

    Args:
        entropy, variance: of the window's attention in each layer. tau: temperatures of the two.

    Returns:
        Shares that sum to 1: proportional to ``entropy ** (1 / tau[0]) * variance ** (1 / tau[1])``.
    """
    logs = torch.tensor(entropy).double().clamp(min=1e-30).log() / tau[0]
    logs = logs + torch.tensor(variance).double().clamp(min=1e-30).log() / tau[1]
    return logs.softmax(0).tolist()


def shares_to_rows(shares: Sequence[float], total: float, most: int) -> list[int]:
    """Rows of each layer by its share of a total, at least 1 and at most ``most``; what one layer cannot
    hold goes to the others in proportion."""
    rows = torch.zeros(len(shares), dtype=torch.float64)
    left = torch.tensor(shares, dtype=torch.float64).clamp(min=1e-12)
    for _ in shares:
        free = rows < most
        remaining = total - float(rows.sum())
        if remaining <= 1e-9 or not bool(free.any()):
            break
        weights = left * free
        rows = (rows + remaining * weights / weights.sum()).clamp(max=most)
    return [max(1, round(each)) for each in rows.tolist()]


def together(scores: Sequence[torch.Tensor], rows: float) -> list[torch.Tensor]:
    """One threshold over all layers and heads (KVzip): the best of all keys, ``rows`` a head on average.

    Returns:
        int64 ``[H]`` a layer.
    """
    flat = torch.cat([each.flatten() for each in scores])
    heads = sum(len(each) for each in scores)
    chosen = flat.argsort(descending=True, stable=True)[: max(1, round(rows * heads))]
    kept = torch.zeros(len(flat), dtype=torch.bool, device=flat.device).scatter(0, chosen, True)
    parts = kept.split([each.numel() for each in scores])
    return [part.view(each.shape).sum(1).cpu() for part, each in zip(parts, scores, strict=True)]
