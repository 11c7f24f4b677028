"""Clusters of clusters: levels from coarse to fine, each cluster a range of the next finer level.

Bottom-up is the paper's way: cluster the keys at the finest level, then the clusters of that level, and so
on. Top-down clusters the keys coarsely first and then inside each coarse cluster; its work grows with the
number of children of a cluster, not with the number of clusters.
"""

import itertools
from dataclasses import dataclass

import torch
from squeezed_kernels import label_order, take_rows

from squeezed.clustering.balance import size_cap
from squeezed.clustering.kmeans import check_input, head_groups, spherical_kmeans
from squeezed.clustering.partition import (
    label_counts,
    permute_segments,
    segment_starts,
    segment_sums,
)
from squeezed.clustering.problems import normalise
from squeezed.clustering.topdown import cluster_inside, share_out

STRATEGIES = ("bottom-up", "top-down")
ITERATIONS_OF_CLUSTERS = 20  # clusters are few beside keys, so more steps cost little


@dataclass(frozen=True)
class Hierarchy:
    """Each head's keys in nested clusters.

    Attributes:
        order: int64 ``[H, M]``; ``order[h]`` lists head h's keys, finest cluster by finest cluster.
        offsets: one int32 ``[H, C + 1]`` a level, coarse to fine; cluster i covers ``offsets[i]`` to
            ``offsets[i + 1]`` of the next finer level's clusters, or of ``order`` at the finest level.
    """

    order: torch.Tensor
    offsets: tuple[torch.Tensor, ...]


def cluster_levels(
    keys: torch.Tensor,
    levels: tuple[float, ...],
    seed: int = 0,
    *,
    strategy: str = "bottom-up",
    balance: float | None = None,
) -> Hierarchy:
    """Clusters every head's keys at every level.

    Args:
        keys: ``[H, M, D]``, any float dtype.
        levels: clusters as a share of M, coarse to fine, for instance ``(0.01, 0.05)``; level l has
            ``max(1, round(levels[l] * M))`` clusters, none of them empty.
        seed: of every clustering. strategy: ``bottom-up`` or ``top-down``.
        balance: cap of a cluster's size as a multiple of its level's mean. Size is the number of keys at the
            finest level and, bottom-up, the number of children at the others (top-down: of keys).

    Raises:
        ValueError: no level, levels not rising or outside (0, 1], an unknown strategy, keys that are not
            finite, an impossible cap.
    """
    check_levels(levels)
    check_way(strategy, balance)
    check_input(keys)
    clusters = [max(1, round(level * keys.shape[1])) for level in levels]
    way = _bottom_up if strategy == "bottom-up" else _top_down
    order, counts = way(keys, clusters, seed, balance)
    return Hierarchy(order, tuple(segment_starts(each).int() for each in counts))


def check_way(strategy: str, balance: float | None) -> None:
    """Refuses an unknown strategy and a cap that no partition can meet."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy {strategy!r}; expected one of {', '.join(STRATEGIES)}")
    size_cap(1, 1, balance)


def check_levels(levels: tuple[float, ...]) -> None:
    """Refuses levels that are not shares, coarse to fine."""
    shares = len(levels) > 0 and all(0 < level <= 1 for level in levels)
    if not shares or any(a >= b for a, b in itertools.pairwise(levels)):
        raise ValueError(
            f"levels {tuple(levels)}; expected rising shares in (0, 1], coarse to fine"
        )


def _bottom_up(
    keys: torch.Tensor, clusters: list[int], seed: int, balance: float | None
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Order ``[H, M]`` and the children of every cluster ``[H, C_l]``, coarse to fine."""
    finest = spherical_kmeans(keys, clusters[-1], seed, balance=balance)
    found = [finest]
    sums = torch.cat(
        [
            segment_sums(normalise(take_rows(keys[part], finest.order[part])), finest.counts[part])
            for part in head_groups(keys)
        ]
    )
    for coarser in reversed(clusters[:-1]):
        # A coarse cluster fits its keys as well as it fits the sums of its members' unit keys: direction =
        # the centroid, weight = the length, which is the size times how closely the keys agree.
        result = spherical_kmeans(
            sums,
            coarser,
            seed,
            max_iterations=ITERATIONS_OF_CLUSTERS,
            balance=balance,
            weights=sums.norm(dim=-1),
        )
        found.append(result)
        sums = segment_sums(take_rows(sums, result.order), result.counts)
    found.reverse()
    # Downwards: the clusters of a level stand in the order that their parents ask for.
    place = torch.arange(clusters[0], device=keys.device).expand(len(keys), -1)
    counts = []
    for level in found:
        counts.append(level.counts.gather(1, place))
        rows = permute_segments(place, level.counts, level.order.shape[1])
        place = level.order.gather(1, rows)
    return place, counts


def _top_down(
    keys: torch.Tensor, clusters: list[int], seed: int, balance: float | None
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Like ``_bottom_up``, the other way round."""
    count = keys.shape[1]
    coarsest = spherical_kmeans(keys, clusters[0], seed, balance=balance)
    order, sizes = coarsest.order, coarsest.counts
    counts = []
    for level, finer in enumerate(clusters[1:], start=1):
        children = share_out(sizes, finer)
        cap = size_cap(count, finer, balance)
        labels = cluster_inside(keys, order, sizes, children, seed + level, cap)
        order = order.gather(1, label_order(labels, finer))
        sizes = label_counts(labels, finer)
        counts.append(children)
    return order, [*counts, sizes]
