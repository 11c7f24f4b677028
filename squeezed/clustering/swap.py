"""Moves that Lloyd's algorithm cannot make: a cluster too many here becomes a cluster too few there.

Lloyd's algorithm moves centroids locally. Where seeding put two of them into one group of keys and none into
another, it stays so. A swap joins two clusters that are close, and uses the freed number to cut one that
holds two groups. With unit keys x, the sum of the similarities to the own centroid is the sum over the
clusters of the length of ``s = sum x``; what a join costs and a cut gains follows from those sums exactly,
so a swap that promises to raise the fit raises it.
"""

import torch
from torch.nn import functional

from squeezed.clustering.assign import ASSIGN_BLOCK
from squeezed.clustering.problems import Problems
from squeezed.clustering.split import split_clusters


def swap(problems: Problems, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Makes every swap that pays, each cluster in at most one.

    Args:
        labels: int64 ``[P, M]``, no used cluster empty, C for padding rows.

    Returns:
        New labels and the number of swaps of each problem, ``[P]``. Where a gain is mere rounding, the
        upper half of a cut may have no row; the next assignment step fills it.
    """
    split = split_clusters(problems, labels)
    width = problems.width
    partner, cost = _nearest_partner(split.sums, problems.used)
    numbers = torch.arange(width, device=labels.device)
    mutual = (partner.gather(1, partner) == numbers) & (numbers < partner) & problems.used
    cost, joined = cost.masked_fill(~mutual, torch.inf).sort(dim=1, stable=True)
    mate = partner.gather(1, joined)
    gain = split.gain.masked_fill(~problems.used, 0)

    pays = _paying(gain, cost)
    # A cluster that is joined cannot be cut as well. With those out, fewer swaps pay, so none of the pairs
    # that remain can be new. Pairs that do not pay write into a column of their own.
    busy = torch.zeros_like(pays).scatter(1, joined, pays)
    busy |= _with_spare(torch.zeros_like(pays), mate.where(pays, width), pays)
    gain = gain.masked_fill(busy, 0)
    pays = _paying(gain, cost)
    cut = gain.argsort(dim=1, descending=True, stable=True)

    # The joined pair keeps its first number; its second goes to the upper half of the cluster that is cut.
    kept = _with_spare(numbers.expand_as(cost), mate.where(pays, width), joined)
    upper = kept.scatter(1, cut, mate.where(pays, kept.gather(1, cut)))
    rows = split.labels.clamp(max=width - 1)
    new = upper.gather(1, rows).where(split.along > 0, kept.gather(1, rows))
    new = new.where(split.labels < width, width)
    return torch.empty_like(labels).scatter(1, split.order, new), pays.sum(dim=1)


def _with_spare(values: torch.Tensor, index: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
    """``values`` ``[P, C]`` with ``written`` scattered into it; what has the index C is dropped."""
    return functional.pad(values, (0, 1)).scatter(1, index, written)[:, :-1]


def _paying(gain: torch.Tensor, cost: torch.Tensor) -> torch.Tensor:
    """Whether the k-th best cut gains clearly more than the k-th cheapest join costs; bool ``[P, C]``."""
    return gain.sort(dim=1, descending=True).values > MARGIN * cost


MARGIN = 1.05


def _nearest_partner(sums: torch.Tensor, used: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The cluster that each is joined with at the least cost ``[P, C]``, and that cost."""
    problems, clusters, _ = sums.shape
    lengths = sums.norm(dim=-1)
    block = max(1, ASSIGN_BLOCK // (problems * clusters))
    best = []
    for start in range(0, clusters, block):
        own = lengths[:, start : start + block].unsqueeze(-1)
        products = torch.bmm(sums[:, start : start + block], sums.transpose(1, 2))
        joint = own.square() + lengths.square().unsqueeze(1) + 2 * products
        cost = own + lengths.unsqueeze(1) - joint.clamp(min=0).sqrt()
        # Joining equal clusters costs nothing; rounding must not make it a gain.
        cost = cost.clamp(min=0).masked_fill(~used.unsqueeze(1), torch.inf)
        cost.diagonal(offset=start, dim1=1, dim2=2).fill_(torch.inf)
        best.append(cost.min(dim=-1))
    return torch.cat([b.indices for b in best], dim=1), torch.cat([b.values for b in best], dim=1)
