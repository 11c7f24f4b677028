"""Offline step 3: the quantile curves that turn any sparsity into a threshold (paper section 3.2).

Queries of a sample - the observation window, or user inputs like those to come - score the centroids as they
would online, level after level. The per-key scores, each cluster weighted by its size, form one distribution
for the whole model; its whole quantile curve is kept, so another sparsity needs no new clustering. The same
is kept for each layer and each head (with fewer steps), and the share of keys that a probability mass takes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from squeezed_kernels import children, lookup

from squeezed.index import LayerIndex, Level
from squeezed.selection import above_threshold, rows_in_mass, top_rows
from squeezed.settings import Coarse
from squeezed.spread import MEAN

GRID = 4096  # steps of the model's curve: sparsity is resolved to 1 / GRID
HEAD_GRID = 512  # steps of the curves of a layer or a head
MASS_GRID = 128  # steps of the curve of kept keys against probability mass
SCOPES = ("model", "layer", "head")


@dataclass(frozen=True)
class LevelCurves:
    """Quantiles of the log score per key at one level of the hierarchy.

    Attributes:
        model: float32 ``[GRID + 1]``; entry k is the quantile at sparsity k / GRID over all layers and heads.
            None of the curves falls.
        layers: float32 ``[layers, HEAD_GRID + 1]``. heads: float32 ``[layers, H, HEAD_GRID + 1]``.
    """

    model: torch.Tensor
    layers: torch.Tensor
    heads: torch.Tensor

    def threshold(self, sparsity: float, scope: str, layer: int) -> torch.Tensor:
        """Log scores under which the share ``sparsity`` of the scope's keys lies, broadcastable to ``[H]``;
        ``-inf`` at sparsity 0 (keep all)."""
        curve = {"model": self.model[None], "layer": self.layers[layer, None]}.get(scope)
        return _read(self.heads[layer] if curve is None else curve, sparsity)


@dataclass(frozen=True)
class Calibration:
    """What a sample of queries says about scores.

    Attributes:
        levels: curves of each level, coarse to fine. The curve of a level counts all clustered keys; those
            whose coarser cluster was dropped lie at its bottom.
        mass: float32 ``[MASS_GRID + 1]``; entry k is the share of keys, averaged over layers and heads, in
            the smallest sets of clusters that hold the probability mass k / MASS_GRID.
        coarse: what the levels before the finest did.
    """

    levels: tuple[LevelCurves, ...]
    mass: torch.Tensor
    coarse: Coarse

    def mass_for(self, sparsity: float) -> float:
        """The probability mass whose clusters hold the share ``1 - sparsity`` of the keys."""
        place = int(torch.searchsorted(self.mass, torch.tensor(1.0 - sparsity)))
        if place == 0:
            return 0.0
        if place > MASS_GRID:
            return 1.0
        low, high = self.mass[place - 1 : place + 1].tolist()
        return (place - 1 + (1 - sparsity - low) / max(high - low, 1e-9)) / MASS_GRID

    def tensors(self) -> list[torch.Tensor]:
        """All tensors, to count and to store them."""
        curves = [t for level in self.levels for t in (level.model, level.layers, level.heads)]
        return [*curves, self.mass]


def calibrate(
    layers: Sequence[LayerIndex],
    samples: Sequence[Sequence[torch.Tensor]],
    coarse: Coarse,
) -> Calibration:
    """Curves of all levels, each under the conditions of its use: only children of kept clusters compete.

    Args:
        layers: indexes of all layers. samples: for each layer the queries that were processed together,
            ``[Hq, L, D]`` each; their scores are averaged over L, as they are online.
        coarse: what the levels before the finest are to do.

    Raises:
        ValueError: a score is NaN (keys or queries were not finite).
    """
    keeps: list[torch.Tensor | None] = [None] * len(layers)
    curves = []
    scored: list[torch.Tensor] = []
    for depth in range(len(coarse.drops) + 1):
        scored = [
            _score(layer, depth, queries, keep, coarse)
            for layer, queries, keep in zip(layers, samples, keeps, strict=True)
        ]
        curves.append(_curves(scored, [layer.levels[depth].counts for layer in layers]))
        if depth < len(coarse.drops):
            keeps = [
                keep_coarse(scores, layer, number, curves[-1], depth, coarse)
                for number, (scores, layer) in enumerate(zip(scored, layers, strict=True))
            ]
    return Calibration(tuple(curves), _mass_curve(scored, layers), coarse)


def keep_coarse(
    log_scores: torch.Tensor,
    layer: LayerIndex,
    number: int,
    curves: LevelCurves | None,
    depth: int,
    coarse: Coarse,
    least: float = 0.0,
) -> torch.Tensor:
    """Clusters of a coarser level that stay in the search, boolean ``[B, H, T, C]``.

    Args:
        log_scores: ``[B, H, T, C]`` at level ``depth`` of layer ``number``. curves: of this level; ``None``
            for ``topk``. coarse: what to drop, and how. least: keys that ``topk`` must not miss.
    """
    drop = coarse.drops[depth]
    if drop <= 0:
        return log_scores > -torch.inf
    if coarse.by == "topk":
        rows = torch.tensor((1 - drop) * layer.clustered, device=log_scores.device)
        return top_rows(log_scores, layer.levels[depth].counts, rows, least)
    assert curves is not None
    return above_threshold(
        log_scores, curves.threshold(drop, coarse.by, number).to(log_scores.device)
    )


def _score(
    layer: LayerIndex,
    depth: int,
    queries: Sequence[torch.Tensor],
    keep: torch.Tensor | None,
    coarse: Coarse,
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
            candidates=None if allowed is None else allowed[s, None],
        )
        for s, query in enumerate(queries)
    ]
    return with_spread(torch.cat(scores), level, coarse)


def with_spread(log_scores: torch.Tensor, level: Level, coarse: Coarse) -> torch.Tensor:
    """Log scores ``[B, H, T, C]`` of a level as ``coarse`` wants them; the finest level's are left alone."""
    if coarse.score == MEAN or level.spread is None:
        return log_scores
    return log_scores + level.spread[:, None]


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


def _read(curve: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Curves ``[..., steps + 1]`` at a sparsity, interpolated; ``-inf`` at 0."""
    if sparsity <= 0:
        return torch.full(curve.shape[:-1], -math.inf)
    place = sparsity * (curve.shape[-1] - 1)
    low = min(int(place), curve.shape[-1] - 2)
    below, above = curve[..., low], curve[..., low + 1]
    # The floor stands for "no score at all": nothing lies between it and the next entry.
    mixed = below + (place - low) * (above - below)
    return torch.where(below == torch.finfo(torch.float32).min, below, mixed)
