"""Spherical K-means over the keys of all heads of a layer at once (paper section 3.1).

Keys are compared by cosine: they are normalised, assigned to the most similar centroid, and a centroid is
the normalised mean of its members. Deterministic for one seed on one device: random numbers come from a CPU
generator and sums run over sorted members, never through atomics.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

ASSIGN_BLOCK = 1 << 24  # similarities held at once, in elements


@dataclass(frozen=True)
class Clustering:
    """A partition of each head's keys into clusters.

    Attributes:
        order: int64 ``[H, M]``; ``order[h]`` lists head h's keys cluster by cluster.
        counts: int64 ``[H, C]``; keys in each cluster, in the order of ``order``. Zero is possible.
    """

    order: torch.Tensor
    counts: torch.Tensor


def spherical_kmeans(
    keys: torch.Tensor,
    clusters: int,
    seed: int = 0,
    max_iterations: int = 20,
    tolerance: float = 1e-3,
) -> Clustering:
    """Clusters every head's keys under cosine distance.

    Args:
        keys: ``[H, M, D]``, any float dtype; computed in float32.
        clusters: C, clusters a head, ``1 <= C <= M``.
        seed: of the k-means++ seeding.
        max_iterations: of Lloyd's algorithm.
        tolerance: stop when fewer than this share of keys changed cluster.

    Raises:
        ValueError: C outside 1..M, or keys that are not finite.
    """
    heads, count, _ = keys.shape
    if not 1 <= clusters <= count:
        raise ValueError(f"{clusters} clusters of {count} keys; expected between 1 and {count}")
    if not bool(keys.isfinite().all()):
        raise ValueError("the keys to cluster contain NaN or infinity")
    points = functional.normalize(keys.float(), dim=-1)
    centroids = _seed_centroids(points, clusters, seed)
    labels = torch.full((heads, count), -1, device=keys.device)
    for _ in range(max_iterations):
        assigned, similarity = _assign(points, centroids)
        changed = (assigned != labels).float().mean().item()
        labels = assigned
        if changed < tolerance:
            break
        centroids = _update(points, labels, similarity, clusters)
    order = labels.argsort(dim=1, stable=True)
    return Clustering(order, _counts(labels, clusters))


def segment_means(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Means of consecutive rows.

    Args:
        values: ``[H, M, D]`` float. counts: ``[H, C]``, rows of each segment; every row sums to M.

    Returns:
        ``[H, C, D]`` float32; zeros for an empty segment.
    """
    heads, _, size = values.shape
    sums = torch.segment_reduce(
        values.float().reshape(-1, size).contiguous(), "sum", lengths=counts.reshape(-1), axis=0
    )
    return sums.view(heads, -1, size) / counts.clamp(min=1).unsqueeze(-1)


def _seed_centroids(points: torch.Tensor, clusters: int, seed: int) -> torch.Tensor:
    """k-means++: each next seed is a key drawn in proportion to its distance from the seeds so far."""
    heads, count, size = points.shape
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(clusters, heads, generator=generator, dtype=torch.float64).to(points.device)
    seeds = points.new_empty(heads, clusters, size)
    rows = torch.arange(heads, device=points.device)
    chosen = (draws[0] * count).long()
    distance = points.new_full((heads, count), 2.0)
    for i in range(clusters):
        seeds[:, i] = points[rows, chosen]
        similarity = torch.bmm(points, seeds[:, i].unsqueeze(-1)).squeeze(-1)
        distance = torch.minimum(distance, (1 - similarity).clamp(min=0))
        if i + 1 < clusters:
            # float64: a float32 cumulative sum over many keys no longer separates the small ones.
            cumulative = distance.double().cumsum(dim=1)
            target = draws[i + 1].unsqueeze(1) * cumulative[:, -1:]
            chosen = (
                torch.searchsorted(cumulative, target, right=True).squeeze(1).clamp(max=count - 1)
            )
    return seeds


def _assign(points: torch.Tensor, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Most similar centroid of every key ``[H, M]`` and the similarity ``[H, M]``, in blocks of keys."""
    heads, count, _ = points.shape
    block = max(1, ASSIGN_BLOCK // (heads * centroids.shape[1]))
    transposed = centroids.transpose(1, 2)
    best = [
        torch.bmm(points[:, start : start + block], transposed).max(dim=-1)
        for start in range(0, count, block)
    ]
    return torch.cat([b.indices for b in best], dim=1), torch.cat([b.values for b in best], dim=1)


def _update(
    points: torch.Tensor, labels: torch.Tensor, similarity: torch.Tensor, clusters: int
) -> torch.Tensor:
    """New unit centroids; those without members move to the keys that fit worst where they are."""
    counts = _counts(labels, clusters)
    order = labels.argsort(dim=1, stable=True)
    in_order = points.gather(1, order.unsqueeze(-1).expand_as(points))
    centroids = functional.normalize(segment_means(in_order, counts), dim=-1)
    for head in (counts == 0).any(dim=1).nonzero().flatten().tolist():
        empty = (counts[head] == 0).nonzero().flatten()
        worst = similarity[head].argsort(stable=True)[: len(empty)]
        centroids[head, empty] = points[head, worst]
    return centroids


def _counts(labels: torch.Tensor, clusters: int) -> torch.Tensor:
    heads = labels.shape[0]
    offset = labels + clusters * torch.arange(heads, device=labels.device).unsqueeze(1)
    return torch.bincount(offset.flatten(), minlength=heads * clusters).view(heads, clusters)
