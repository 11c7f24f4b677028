"""Offline step 3: the quantile curve that turns any sparsity into a threshold (paper section 3.2).

The observation window's queries score the centroids; the per-key scores of all layers and heads together,
each cluster weighted by its size, form one distribution. Its whole quantile curve is stored, so another
sparsity needs no new clustering.
"""

import math
from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.index import LayerIndex

GRID = 4096  # steps of the curve; sparsity is resolved to 1 / GRID


@dataclass(frozen=True)
class QuantileCurve:
    """Quantiles of the log score per key.

    Attributes:
        log_scores: float32 ``[GRID + 1]``, not falling; entry k is the quantile at sparsity k / GRID.
    """

    log_scores: torch.Tensor

    def threshold(self, sparsity: float) -> float:
        """Log score under which the share ``sparsity`` of all keys lies; ``-inf`` at 0 (keep all)."""
        if sparsity <= 0:
            return -math.inf
        place = sparsity * (len(self.log_scores) - 1)
        low = min(int(place), len(self.log_scores) - 2)
        below, above = self.log_scores[low : low + 2].tolist()
        return below + (place - low) * (above - below)


def calibrate(layers: list[LayerIndex], window_queries: list[torch.Tensor]) -> QuantileCurve:
    """The curve over all layers and heads at the finest level.

    Args:
        layers: indexes of all layers. window_queries: ``[Hq, W, D]`` a layer.

    Raises:
        ValueError: a score is NaN (keys or queries were not finite).
    """
    scores, weights = [], []
    for layer, queries in zip(layers, window_queries, strict=True):
        level = layer.levels[-1]
        log_scores = lookup(queries[None], level.centroids, level.counts, layer.scale)[0]
        used = level.counts > 0
        scores.append(log_scores[used].cpu())
        weights.append(level.counts[used].cpu())
    return weighted_quantiles(torch.cat(scores), torch.cat(weights))


def weighted_quantiles(log_scores: torch.Tensor, weights: torch.Tensor) -> QuantileCurve:
    """Quantiles of values that each stand for ``weights`` keys.

    Entry k is the smallest score such that at least the share k / GRID of the keys scores no more.

    Raises:
        ValueError: a score is NaN.
    """
    if bool(log_scores.isnan().any()):
        raise ValueError("calibration met a NaN score: the model's keys or queries are not finite")
    ordered, order = log_scores.double().sort()
    cumulative = weights[order].double().cumsum(0)
    targets = torch.linspace(0, 1, GRID + 1, dtype=torch.float64) * cumulative[-1]
    places = torch.searchsorted(cumulative, targets).clamp(max=len(ordered) - 1)
    # A score can underflow to -inf; the curve is stored, and stored curves are finite.
    floor = torch.finfo(torch.float32).min
    return QuantileCurve(ordered[places].clamp(min=floor).float())
