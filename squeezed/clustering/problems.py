"""Many K-means problems of similar size, solved in one batch.

Flat clustering has one problem a head, all alike. Clustering inside the coarse clusters of a head has one
problem a coarse cluster, each with its own number of rows and of clusters; such a batch is padded.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Problems:
    """P clustering problems, padded to M rows and C clusters.

    Attributes:
        points: float32 ``[P, M, D]``; unit rows, zero where a problem has no direction or no row.
        weights: float32 ``[P, M]``, at least 0; what a row counts for in a centroid. A row without a
            direction weighs nothing.
        sizes: int64 ``[P]``; rows of each problem, the first ones.
        clusters: int64 ``[P]``; clusters of each problem, ``1 <= clusters <= sizes``.
        width: C, the largest of ``clusters``, known without asking the device.
    """

    points: torch.Tensor
    weights: torch.Tensor
    sizes: torch.Tensor
    clusters: torch.Tensor
    width: int

    @cached_property
    def valid(self) -> torch.Tensor:
        """Which rows are real: bool ``[P, M]``."""
        rows = torch.arange(self.points.shape[1], device=self.points.device)
        return rows < self.sizes.unsqueeze(1)

    @cached_property
    def used(self) -> torch.Tensor:
        """Which cluster numbers are in use: bool ``[P, C]``."""
        numbers = torch.arange(self.width, device=self.points.device)
        return numbers < self.clusters.unsqueeze(1)

    def select(self, chosen: torch.Tensor) -> "Problems":
        """Some of the problems; ``chosen`` int64, on the device."""
        return Problems(
            self.points[chosen],
            self.weights[chosen],
            self.sizes[chosen],
            self.clusters[chosen],
            self.width,
        )


def uniform_problems(rows: torch.Tensor, clusters: int, weights: torch.Tensor | None) -> Problems:
    """One problem a head: rows ``[H, M, D]`` of any length, weights ``[H, M]`` or ``None`` for ones."""
    heads, count, _ = rows.shape
    points = normalise(rows)
    full = torch.full((heads,), count, device=rows.device)
    return Problems(
        points, weighed(points, weights), full, torch.full_like(full, clusters), clusters
    )


def normalise(rows: torch.Tensor) -> torch.Tensor:
    """Unit rows in float32; a zero row stays zero."""
    rows = rows.float()
    # Two steps, so that neither squares of very long rows overflow nor those of very short ones vanish.
    rows = rows / rows.abs().amax(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return functional.normalize(rows, dim=-1)


def weighed(points: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Weights of unit rows; zero for a row without a direction."""
    direction = points.any(dim=-1)
    return direction.float() if weights is None else weights.float() * direction
