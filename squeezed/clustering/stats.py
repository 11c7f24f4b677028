"""How evenly the keys are spread over the clusters."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ClusterStatistics:
    """Sizes of each head's clusters; every field is a tensor ``[H]``.

    Attributes:
        clusters: int64, C. empty: int64, clusters without keys.
        largest_share: share of the head's keys in its largest cluster.
        mean, median, p99: keys a cluster; the 99 % quantile is the smallest size that 99 % of the clusters do
            not exceed.
        effective: effective number of clusters, ``1 / sum(share ** 2)``: C if all are equally large, 1 if one
            holds everything.
        gini: 0 if all are equally large, towards 1 if few hold everything.
    """

    clusters: torch.Tensor
    empty: torch.Tensor
    largest_share: torch.Tensor
    mean: torch.Tensor
    median: torch.Tensor
    p99: torch.Tensor
    effective: torch.Tensor
    gini: torch.Tensor


def cluster_statistics(counts: torch.Tensor) -> ClusterStatistics:
    """Statistics of ``counts`` ``[H, C]``, keys in each cluster.

    Raises:
        ValueError: a head without keys, or negative counts.
    """
    counts = counts.long()
    if counts.ndim != 2 or counts.numel() == 0:
        raise ValueError(f"counts of shape {tuple(counts.shape)}; expected [heads, clusters]")
    keys = counts.sum(dim=1)
    if bool((counts < 0).any()) or bool((keys == 0).any()):
        raise ValueError("counts of clusters must not be negative, and every head needs keys")
    clusters = counts.shape[1]
    rising = counts.sort(dim=1).values.double()
    share = rising / keys.unsqueeze(1)
    rank = torch.arange(1, clusters + 1, device=counts.device)
    return ClusterStatistics(
        clusters=torch.full_like(keys, clusters),
        empty=(counts == 0).sum(dim=1),
        largest_share=share[:, -1],
        mean=keys / clusters,
        median=(rising[:, (clusters - 1) // 2] + rising[:, clusters // 2]) / 2,
        p99=rising[:, -(-99 * clusters // 100) - 1],
        effective=1 / share.square().sum(dim=1),
        gini=(share * (2 * rank - clusters - 1)).sum(dim=1) / clusters,
    )
