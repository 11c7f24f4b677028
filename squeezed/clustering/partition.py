"""Partitions of rows into clusters, and the segment arithmetic that works on them.

Rows of one cluster stand next to each other, so a cluster is a segment. Everything here is sorting,
integer counting and sums over consecutive rows: no atomics, so a repeated run gives the same bits.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Clustering:
    """A partition of each head's keys into clusters.

    Attributes:
        order: int64 ``[H, M]``; ``order[h]`` lists head h's keys cluster by cluster.
        counts: int64 ``[H, C]``; keys in each cluster, in the order of ``order``; never zero.
    """

    order: torch.Tensor
    counts: torch.Tensor


def label_counts(labels: torch.Tensor, clusters: int) -> torch.Tensor:
    """How often each label 0..C-1 occurs: int64 ``[P, C]`` from labels ``[P, M]``."""
    problems = labels.shape[0]
    starts = clusters * torch.arange(problems, device=labels.device).unsqueeze(1)
    flat = torch.bincount((labels + starts).flatten(), minlength=problems * clusters)
    return flat.view(problems, clusters)


def segment_sums(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Sums of consecutive rows: ``[P, C, D]`` float32 from ``[P, M, D]`` and ``counts`` ``[P, C]``."""
    problems, _, size = values.shape
    flat = values.float().reshape(-1, size).contiguous()
    # unsafe: skips the check that no count is negative, which would wait for the device.
    sums = torch.segment_reduce(flat, "sum", lengths=counts.reshape(-1), axis=0, unsafe=True)
    return sums.view(problems, -1, size)


def segment_means(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Means of consecutive rows.

    Args:
        values: ``[H, M, D]`` float. counts: ``[H, C]``, rows of each segment; every row sums to M.

    Returns:
        ``[H, C, D]`` float32; zeros for an empty segment.
    """
    return segment_sums(values, counts) / counts.clamp(min=1).unsqueeze(-1)


def segment_starts(counts: torch.Tensor) -> torch.Tensor:
    """First row of each segment, and the end of the last: int64 ``[P, C + 1]``."""
    return torch.nn.functional.pad(counts.long().cumsum(dim=1), (1, 0))


def segment_labels(counts: torch.Tensor, rows: int) -> torch.Tensor:
    """Segment of each of the M ``rows``, int64 ``[P, M]``; every row of ``counts`` sums to M."""
    problems, clusters = counts.shape
    each = torch.arange(clusters, device=counts.device).repeat(problems)
    spread = each.repeat_interleave(counts.reshape(-1), output_size=problems * rows)
    return spread.view(problems, rows)


def permute_segments(permutation: torch.Tensor, counts: torch.Tensor, rows: int) -> torch.Tensor:
    """Old row of each new row when whole segments change places.

    Args:
        permutation: int64 ``[P, C]``; old number of each new segment.
        counts: ``[P, C]``; rows of each old segment. rows: M, their sum.

    Returns:
        int64 ``[P, M]``.
    """
    moved = counts.gather(1, permutation)
    segment = segment_labels(moved, rows)
    old_start = segment_starts(counts).gather(1, permutation).gather(1, segment)
    new_start = segment_starts(moved).gather(1, segment)
    return old_start + torch.arange(rows, device=counts.device) - new_start


def rank_in_cluster(labels: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Place of each row inside its cluster when that is sorted by ``key``, smallest first.

    Args:
        labels: int64 ``[P, M]``. key: ``[P, M]``; ties keep the order of the rows.
    """
    by_key = key.argsort(dim=1, stable=True)
    sorted_labels, second = labels.gather(1, by_key).sort(dim=1, stable=True)
    order = by_key.gather(1, second)
    counts = label_counts(labels, int(labels.max()) + 1)
    starts = segment_starts(counts).gather(1, sorted_labels)
    place = torch.arange(labels.shape[1], device=labels.device) - starts
    return torch.empty_like(labels).scatter_(1, order, place)
