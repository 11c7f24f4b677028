"""Offline step 3: the quantile curves of a sample of queries (paper section 3.2).

Queries of a sample - the observation window, or user inputs like those to come - score the centroids as they
would online, level after level. The per-key scores, each cluster weighted by its size, form one distribution
for the whole model; its whole quantile curve is kept, so another sparsity needs no new clustering. The same
is kept for each layer and each head (with fewer steps), and the share of keys that a probability mass takes.
"""

from collections.abc import Sequence

import torch
from squeezed_kernels import children, lookup

from squeezed.calibration.coarse import keep_coarse, with_spread
from squeezed.calibration.curves import GRID, HEAD_GRID, MASS_GRID, Calibration, LevelCurves
from squeezed.index.layer import LayerIndex
from squeezed.index.settings import Conditions
from squeezed.selection.rules import rows_in_mass


def calibrate(
    layers: Sequence[LayerIndex],
    samples: Sequence[Sequence[torch.Tensor]],
    conditions: Conditions,
) -> Calibration:
    """Curves of all levels, each under the conditions of its use: only children of kept clusters compete.

    Args:
        layers: indexes of all layers. samples: for each layer the queries that were processed together,
            ``[Hq, L, D]`` each; their scores are averaged over L, as they are online.
        conditions: how they are scored.

    Raises:
        ValueError: a score is NaN (keys or queries were not finite).
    """
    keeps: list[torch.Tensor | None] = [None] * len(layers)
    curves = []
    scored: list[torch.Tensor] = []
    for depth in range(len(conditions.drops) + 1):
        scored = [
            _score(layer, depth, queries, keep, conditions)
            for layer, queries, keep in zip(layers, samples, keeps, strict=True)
        ]
        curves.append(_curves(scored, [layer.levels[depth].counts for layer in layers]))
        if depth < len(conditions.drops):
            keeps = [
                keep_coarse(scores, layer, number, curves[-1], depth, conditions)
                for number, (scores, layer) in enumerate(zip(scored, layers, strict=True))
            ]
    return Calibration(tuple(curves), _mass_curve(scored, layers), conditions)


def _score(
    layer: LayerIndex,
    depth: int,
    queries: Sequence[torch.Tensor],
    keep: torch.Tensor | None,
    conditions: Conditions,
) -> torch.Tensor:
    """Log scores ``[S, H, 1, C]`` of S samples at one level."""
    level = layer.levels[depth]
    allowed = None if keep is None else children(keep, layer.levels[depth - 1].offsets)
    scores = [
        lookup(
            query[None].to(layer.device),
            level.centroids,
            level.counts,
            layer.scale,
            softcap=layer.softcap,
            reduce=conditions.reduce,
            candidates=None if allowed is None else allowed[s, None],
        )
        for s, query in enumerate(queries)
    ]
    return with_spread(torch.cat(scores), level, conditions)


def _curves(scored: list[torch.Tensor], counts: list[torch.Tensor]) -> LevelCurves:
    """Curves over samples and clusters: of the model, of each layer, of each head."""
    heads, flat_scores, flat_weights = [], [], []
    for scores, count in zip(scored, counts, strict=True):
        by_head = scores.squeeze(2).transpose(0, 1).flatten(1).cpu()  # [H, S * C]
        weights = count.cpu().repeat(1, len(scores))
        heads.append((by_head, weights))
        flat_scores.append(by_head.flatten())
        flat_weights.append(weights.flatten())
    return LevelCurves(
        weighted_quantiles(torch.cat(flat_scores), torch.cat(flat_weights), GRID),
        torch.stack([weighted_quantiles(s.flatten(), w.flatten(), HEAD_GRID) for s, w in heads]),
        torch.stack(
            [
                torch.stack(
                    [weighted_quantiles(*head, HEAD_GRID) for head in zip(s, w, strict=True)]
                )
                for s, w in heads
            ]
        ),
    )


def weighted_quantiles(log_scores: torch.Tensor, weights: torch.Tensor, grid: int) -> torch.Tensor:
    """Quantiles of values that each stand for ``weights`` keys, float32 ``[grid + 1]``.

    Entry k is the smallest score such that at least the share k / grid of the keys scores no more.

    Raises:
        ValueError: a score is NaN.
    """
    if bool(log_scores.isnan().any()):
        raise ValueError("calibration met a NaN score: the model's keys or queries are not finite")
    ordered, order = log_scores.double().sort()
    cumulative = weights[order].double().cumsum(0)
    targets = torch.linspace(0, 1, grid + 1, dtype=torch.float64) * cumulative[-1]
    places = torch.searchsorted(cumulative, targets).clamp(max=len(ordered) - 1)
    # A score can underflow to -inf, or belong to a dropped parent; stored curves are finite.
    floor = torch.finfo(torch.float32).min
    return ordered[places].clamp(min=floor).float()


def _mass_curve(scored: list[torch.Tensor], layers: Sequence[LayerIndex]) -> torch.Tensor:
    """Share of keys kept at each step of probability mass, averaged over layers, heads and samples."""
    masses = torch.linspace(0, 1, MASS_GRID + 1)
    shares = [
        rows_in_mass(scores, layer.levels[-1].counts, masses).double().mean((0, 1, 2)).cpu()
        / layer.clustered
        for scores, layer in zip(scored, layers, strict=True)
    ]
    return torch.stack(shares).mean(0).float()
