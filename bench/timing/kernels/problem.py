"""Random keys that are clustered by construction, so that a large problem costs no K-means.

Heads differ in how sharp their queries are: under one threshold for all of them, as in the paper, they keep
very unequal shares of the keys, which is what a kernel has to cope with.
"""

import math
from dataclasses import dataclass, replace

import torch
from squeezed_kernels import attend_groups, centroid_dtype, children, empty_table, lookup

from bench.timing.kernels.settings import COARSE, WINDOW, Shape

OWN = 64  # tokens of the conversation itself


@dataclass(frozen=True)
class Level:
    """Clusters of one level.

    Attributes:
        centroids: ``[H, C, D]``, of the type in which an index stores them. counts: keys in each, ``[H, C]``.
        offsets: ``[H, C + 1]`` into the next finer level, or the keys.
        threshold: log score above which a cluster is kept.
    """

    centroids: torch.Tensor
    counts: torch.Tensor
    offsets: torch.Tensor
    threshold: float


@dataclass(frozen=True)
class Problem:
    """Keys and values in cluster order, their levels coarse to fine, and a query.

    Attributes:
        query: ``[1, Hq, L, D]``. keys, values: ``[H, N, D]``.
        own: ``[1, H, OWN, D]``, keys and values at once of the conversation's own tokens.
        scale: of the softmax. window: last keys, which belong to no cluster and are always read.
    """

    shape: Shape
    query: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor
    levels: tuple[Level, ...]
    own: torch.Tensor
    scale: float
    window: int = WINDOW

    def select(self, backend: str = "auto") -> tuple[torch.Tensor, torch.Tensor | None]:
        """Kept clusters ``[1, H, 1, C]`` of the finest level, and which were scored (``None``: all)."""
        candidates = None
        for finer, level in enumerate(self.levels, start=1):
            scores = lookup(
                self.query,
                level.centroids,
                level.counts,
                self.scale,
                candidates=candidates,
                backend=backend,
            )
            keep = scores > level.threshold
            if finer < len(self.levels):
                total = self.levels[finer].centroids.shape[1]
                candidates = children(keep, level.offsets, total=total, backend=backend)
        return keep, candidates

    def attend(
        self, keep: torch.Tensor, backend: str = "auto"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention over kept clusters and the window: output ``[1, Hq, L, D]`` and log-sum-exp."""
        finest = self.levels[-1]
        return attend_groups(
            self.query, self.keys, self.values, keep, finest.offsets, self.scale, backend=backend
        )

    def scored(self, candidates: torch.Tensor | None) -> int:
        """Centroids that a lookup scores, of all levels and heads, given what ``select`` said."""
        finest = self.levels[-1].counts.numel() if candidates is None else int(candidates.sum())
        return finest + sum(level.counts.numel() for level in self.levels[:-1])

    def sparse_bytes(self, scored: int, kept: int) -> int:
        """Bytes of centroids, keys and values that one step reads."""
        centroid = self.shape.size * self.levels[-1].centroids.itemsize
        return centroid * scored + 2 * self.shape.key_bytes() * kept

    def kept_rows(self, keep: torch.Tensor) -> int:
        """Rows that are attended, over all heads."""
        rows = (keep[0, :, 0] * self.levels[-1].counts).sum()
        return int(rows) + self.shape.kv_heads * self.window

    def dense_bytes(self) -> int:
        """Bytes of all keys and values."""
        return 2 * self.shape.kv_heads * self.shape.length * self.shape.key_bytes()


def make(shape: Shape, fraction: float, device: torch.device, seed: int = 0) -> Problem:
    """A random problem; the thresholds keep the share of keys that the shape's sparsity asks for."""
    generator = torch.Generator(device).manual_seed(seed)
    heads, size, dtype = shape.kv_heads, shape.size, getattr(torch, shape.dtype)
    rows = shape.length - WINDOW
    fine = max(COARSE, int(rows * fraction) // COARSE * COARSE)

    def normal(*sizes: int) -> torch.Tensor:
        return torch.randn(*sizes, generator=generator, device=device, dtype=torch.float32)

    coarse_centers = normal(heads, fine // COARSE, size)
    centers = coarse_centers.repeat_interleave(COARSE, dim=1) + 0.7 * normal(heads, fine, size)
    sizes = torch.rand(heads, fine, generator=generator, device=device) ** 2 + 0.05
    offsets = _offsets(sizes, rows)
    counts = offsets.diff(dim=1)
    keys, values = (
        empty_table(heads, shape.length, size, dtype=dtype, device=device) for _ in range(2)
    )
    for head in range(heads):  # one at a time: float32 copies of all would double the memory
        own = centers[head].repeat_interleave(counts[head].long(), dim=0)
        keys[head, :rows] = (own + 0.5 * normal(rows, size)).to(dtype)
        keys[head, rows:] = normal(WINDOW, size).to(dtype)
        values[head] = normal(shape.length, size).to(dtype)
    sharpness = torch.linspace(0.5, 3.0, heads, device=device).repeat_interleave(shape.group)
    query = (sharpness.view(1, -1, 1, 1) * normal(1, shape.query_heads, shape.tokens, size)).to(
        dtype
    )
    stored = centroid_dtype(dtype)
    centroids = empty_table(heads, fine, size, dtype=stored, device=device).copy_(centers)
    finest = Level(centroids, counts, offsets, -math.inf)
    levels = [finest]
    if shape.depth == 2:
        step = torch.arange(0, fine + 1, COARSE, device=device, dtype=torch.int32)
        coarse_counts = counts.view(heads, -1, COARSE).sum(-1).int()
        coarse = centers.view(heads, -1, COARSE, size).mean(2).to(stored)
        levels.insert(
            0, Level(coarse, coarse_counts, step.expand(heads, -1).contiguous(), -math.inf)
        )
    own = normal(1, heads, OWN, size).to(dtype)
    return with_thresholds(
        Problem(shape, query, keys, values, tuple(levels), own, scale=size**-0.5)
    )


def _offsets(sizes: torch.Tensor, rows: int) -> torch.Tensor:
    """int32 offsets ``[H, C + 1]`` of clusters in proportion to ``sizes``, ``rows`` in all."""
    ends = (sizes.double().cumsum(1) / sizes.double().sum(1, keepdim=True) * rows).round().int()
    ends[:, -1] = rows
    return torch.nn.functional.pad(ends, (1, 0))


def with_thresholds(problem: Problem) -> Problem:
    """The problem with one threshold a level for all heads.

    Half of the coarse clusters' keys survive (the paper's share), of the finest what the sparsity asks for.
    """
    levels: list[Level] = []
    candidates = None
    for number, level in enumerate(problem.levels):
        last = number + 1 == len(problem.levels)
        scores = lookup(
            problem.query, level.centroids, level.counts, problem.scale, candidates=candidates
        )
        dropped = problem.shape.sparsity if last else min(0.5, problem.shape.sparsity)
        threshold = _quantile(scores[0, :, 0], level.counts, dropped)
        levels.append(Level(level.centroids, level.counts, level.offsets, threshold))
        if not last:
            candidates = children(scores > threshold, level.offsets)
    return replace(problem, levels=tuple(levels))


def _quantile(scores: torch.Tensor, counts: torch.Tensor, share: float) -> float:
    """The score under which the share of all keys lies; ``-inf`` at 0."""
    ordered, order = scores.flatten().sort()
    weights = counts.flatten()[order].double().cumsum(0)
    place = int(torch.searchsorted(weights, share * weights[-1]))
    return float(ordered[place - 1]) if place else -math.inf
