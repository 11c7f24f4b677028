"""Clusters inside clusters: many small problems of unequal size (the top-down strategy).

Each coarse cluster is a problem of its own. Problems are sorted by size and solved in padded batches of
nearly the same size, so at most ``1 - FILL`` of a batch is padding and no step runs per cluster.
"""

import torch

from squeezed.clustering.kmeans import GROUP_ELEMENTS, solve
from squeezed.clustering.partition import segment_starts
from squeezed.clustering.problems import Problems, normalise, weighed
from squeezed.clustering.seeding import draw_uniform

FILL = 0.8  # a batch's smallest problem has at least this share of its largest one's rows


def share_out(sizes: torch.Tensor, clusters: int) -> torch.Tensor:
    """Clusters for each part of a head, in proportion to its size.

    Every part gets at least one and none more than its size. Rounded down first; what is left goes to the
    largest remainders, the first of equals.

    Args:
        sizes: int64 ``[H, n]``, each at least 1. clusters: to share out, from n to the sum of a row.

    Returns:
        int64 ``[H, n]``; every row sums to ``clusters``.
    """
    small = torch.zeros_like(sizes, dtype=torch.bool)
    while True:
        # Parts whose quota is under one get one; the others share what is left in proportion.
        left = clusters - small.sum(dim=1, keepdim=True)
        total = sizes.masked_fill(small, 0).sum(dim=1, keepdim=True).clamp(min=1)
        products = sizes * left
        grown = small | (products < total)
        if torch.equal(grown, small):
            break
        small = grown
    quota = (products // total).masked_fill(small, 1)
    remainder = (products % total).masked_fill(small, -1)
    missing = clusters - quota.sum(dim=1, keepdim=True)
    by_remainder = remainder.argsort(dim=1, descending=True, stable=True)
    first = torch.arange(sizes.shape[1], device=sizes.device) < missing
    return quota.scatter_add(1, by_remainder, first.long())


def cluster_inside(
    keys: torch.Tensor,
    order: torch.Tensor,
    sizes: torch.Tensor,
    clusters: torch.Tensor,
    seed: int,
    cap: int | None,
) -> torch.Tensor:
    """Clusters the rows of every part of every head for themselves.

    Args:
        keys: ``[H, M, D]``. order: int64 ``[H, M]``; the keys part by part.
        sizes: int64 ``[H, n]``, keys of each part, at least 1.
        clusters: int64 ``[H, n]``, of each part, ``1 <= clusters <= sizes``.
        seed: of the seeding. cap: largest size of a cluster, or ``None``; a part with too few
            clusters for that divides its keys evenly.

    Returns:
        int64 ``[H, M]``: cluster of each key of ``order``, counted through all parts of the head.
    """
    heads, count, size = keys.shape
    device = keys.device
    first_of_head = count * torch.arange(heads, device=device).unsqueeze(1)
    first_row = segment_starts(sizes)[:, :-1] + first_of_head
    first_cluster = segment_starts(clusters)[:, :-1]
    sizes, clusters = sizes.flatten(), clusters.flatten()
    first_row, first_cluster = first_row.flatten(), first_cluster.flatten()
    draws = draw_uniform(len(sizes), int(clusters.max()), seed).to(device)
    flat, places = keys.reshape(-1, size), (order + first_of_head).flatten()

    by_size = sizes.argsort(descending=True, stable=True)
    # One place more, where padding rows write.
    labels = torch.empty(heads * count + 1, dtype=torch.int64, device=device)
    for start, end in batches(sizes[by_size].cpu(), size):
        chosen = by_size[start:end]
        own, width = sizes[chosen], int(clusters[chosen].max())
        within = torch.arange(int(own[0]), device=device)
        index = first_row[chosen].unsqueeze(1) + within
        real = within < own.unsqueeze(1)
        rows = flat[places[index.clamp(max=heads * count - 1)]]
        points = normalise(rows) * real.unsqueeze(-1)
        batch = Problems(points, weighed(points, None), own, clusters[chosen], width)
        caps = None if cap is None else ((own - 1) // batch.clusters + 1).clamp(min=cap)
        found = solve(batch, draws[chosen], caps) + first_cluster[chosen].unsqueeze(1)
        labels[index.where(real, heads * count)] = found
    return labels[:-1].view(heads, count)


def batches(sizes: torch.Tensor, width: int) -> list[tuple[int, int]]:
    """Ranges of ``sizes`` (falling) that are solved together; ``width`` numbers a row."""
    rising = sizes.flip(0).contiguous()
    ranges = []
    start = 0
    while start < len(sizes):
        largest = int(sizes[start])
        alike = len(sizes) - int(torch.searchsorted(rising, largest * FILL))
        fitting = start + max(1, GROUP_ELEMENTS // (largest * width))
        ranges.append((start, min(alike, fitting)))
        start = ranges[-1][1]
    return ranges
