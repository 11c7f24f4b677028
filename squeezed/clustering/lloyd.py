"""Lloyd's algorithm on a batch of problems: assign every row, move every centroid, repeat."""

import torch
from squeezed_kernels import label_sums

from squeezed.clustering.assign import assign
from squeezed.clustering.partition import label_counts, rank_in_cluster
from squeezed.clustering.problems import Problems, normalise
from squeezed.clustering.swap import swap

# Swaps come every second step, so that centroids settle in between, until few clusters are involved. With
# both, inertia on keys and on mixtures is at or under that of sequential greedy k-means++ (bench.clustering).
SWAP_EVERY = 2
SWAP_SHARE = 0.005


def lloyd(
    problems: Problems,
    centroids: torch.Tensor,
    max_iterations: int,
    tolerance: float,
    *,
    swaps: bool = True,
) -> torch.Tensor:
    """Labels int64 ``[P, M]``, C for padding rows; no cluster is empty.

    A problem that has converged is left out of the further steps. The host waits for the device a few times
    a step, never per cluster.

    Args:
        problems: the rows. centroids: where to start, unit rows ``[P, C, D]``.
        max_iterations: steps at most. tolerance: a problem has converged when fewer than this share of its
            rows changed cluster and no swaps are to be made.
        swaps: whether to make the moves of ``swap``.
    """
    labels = torch.full_like(problems.weights, -1, dtype=torch.int64)
    active = torch.arange(len(labels), device=labels.device)
    swapping = (problems.clusters > 1) & swaps
    for step in range(max_iterations):
        found = fill_empty(problems, *assign(problems, centroids))
        moved = (found != labels[active]).sum(dim=1) / problems.sizes
        labels = labels.index_copy(0, active, found)
        going = (((moved >= tolerance) & (moved > 0)) | swapping).nonzero().flatten()
        if len(going) == 0 or step + 1 == max_iterations:
            break
        if len(going) < len(active):
            active, swapping, found = active[going], swapping[going], found[going]
            problems = problems.select(going)
        if step % SWAP_EVERY == SWAP_EVERY - 1:
            found, swapping = _swap_some(problems, found, swapping)
        centroids = means(problems, found)
    return labels


def means(problems: Problems, labels: torch.Tensor) -> torch.Tensor:
    """Unit centroids ``[P, C, D]`` of a labelling ``[P, M]``; rows labelled C count nowhere."""
    sums = label_sums(problems.points, problems.weights, labels, problems.width + 1)
    return normalise(sums[:, : problems.width])


def fill_empty(problems: Problems, labels: torch.Tensor, similarity: torch.Tensor) -> torch.Tensor:
    """Gives every empty cluster the row that fits worst where it is, without emptying another.

    The best row of each cluster stays, so there are always enough rows to give.
    """
    width = problems.width
    empty = (label_counts(labels, width + 1)[:, :width] == 0) & problems.used
    wanted = empty.sum(dim=1, keepdim=True)
    most = int(wanted.max())
    if most == 0:
        return labels
    stays = (rank_in_cluster(labels, -similarity) == 0) | ~problems.valid
    misfit = problems.weights * (1 - similarity)
    givers = misfit.masked_fill(stays, -torch.inf).argsort(dim=1, descending=True, stable=True)
    givers = givers[:, :most]
    takers = (~empty).int().argsort(dim=1, stable=True)[:, :most]
    taken = torch.arange(most, device=labels.device) < wanted
    return labels.scatter(1, givers, takers.where(taken, labels.gather(1, givers)))


def _swap_some(
    problems: Problems, labels: torch.Tensor, swapping: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Swaps in the problems marked in ``swapping`` ``[P]``; the labels, and which of them shall go on."""
    chosen = swapping.nonzero().flatten()
    if len(chosen) == 0:
        return labels, swapping
    some = problems if len(chosen) == len(labels) else problems.select(chosen)
    swapped, number = swap(some, labels[chosen])
    fruitful = number > SWAP_SHARE * some.clusters
    return labels.index_copy(0, chosen, swapped), swapping.index_copy(0, chosen, fruitful)
