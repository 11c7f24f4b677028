"""Euclidean K-means of one set of points, as methods of the field use it for sketches of their own."""

import torch


def euclidean_kmeans(points: torch.Tensor, size: int, iterations: int, seed: int) -> torch.Tensor:
    """K-means from drawn points: centroids ``[min(size, P), d]`` of ``points`` ``[P, d]`` in float32.

    A centroid that loses all points stays where it is.
    """
    size = min(size, len(points))
    generator = torch.Generator().manual_seed(seed)
    start = torch.randperm(len(points), generator=generator)[:size].to(points.device)
    centroids = points[start]
    for _ in range(iterations):
        labels = nearest(points, centroids)
        # A product with the one-hot labels: sums by index are not repeatable on a GPU.
        member = torch.nn.functional.one_hot(labels, size).to(points.dtype)
        counts = member.sum(0).unsqueeze(1)
        centroids = torch.where(counts > 0, member.T @ points / counts.clamp(min=1), centroids)
    return centroids


def nearest(points: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """The centroid that each point is nearest to, int64 ``[P]``; the first of equals."""
    distances = centroids.square().sum(1) - 2 * points @ centroids.T
    return distances.argmin(1)
