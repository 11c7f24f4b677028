"""Quantile curves of scores, which turn any sparsity into a threshold (paper section 3.2)."""

import math
from dataclasses import dataclass

import torch

from squeezed.index.settings import Conditions

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
        conditions: how the sample was scored.
    """

    levels: tuple[LevelCurves, ...]
    mass: torch.Tensor
    conditions: Conditions

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
