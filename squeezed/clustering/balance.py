"""A hard cap on the size of clusters.

Without one, a cluster can swallow most keys of a head, and selecting it selects them all. A giant of n keys
is cut into ``ceil(n / cap)`` pieces, in halves of halves along the direction in which each is longest. The
numbers of the new pieces are those of the smallest clusters, which are dissolved: their keys move to the most
similar cluster that has room. The number of clusters stays, and none ends empty.
"""

import math

import torch
from squeezed_kernels import own_products, take_rows

from squeezed.clustering.assign import row_blocks
from squeezed.clustering.lloyd import means
from squeezed.clustering.partition import label_counts, rank_in_cluster, segment_starts
from squeezed.clustering.problems import Problems
from squeezed.clustering.split import split_clusters

OFFERS = (
    8  # rounds in which a key without a cluster asks for one; after them it takes any free place
)


def size_cap(count: int, clusters: int, balance: float | None) -> int | None:
    """Largest allowed size of a cluster of ``count`` keys, or ``None`` for no cap.

    Raises:
        ValueError: a balance below 1, which no partition can meet.
    """
    if balance is None:
        return None
    if not balance >= 1:
        raise ValueError(f"balance={balance}: a multiple of the mean cluster size, at least 1")
    return math.ceil(min(balance * count / clusters, count))


def limit_sizes(problems: Problems, labels: torch.Tensor, caps: torch.Tensor) -> torch.Tensor:
    """New labels with no cluster over the cap.

    Args:
        labels: int64 ``[P, M]``, no used cluster empty, C for padding rows.
        caps: int64 ``[P]``, with ``caps * clusters >= sizes``.
    """
    width = problems.width
    counts = label_counts(labels, width + 1)[:, :width]
    caps = caps.unsqueeze(1)
    giant = counts > caps
    if not bool(giant.any()):
        return labels
    pieces = _pieces(counts, caps, problems.clusters)
    extra = torch.where(giant, pieces - 1, 0).sum(dim=1, keepdim=True)
    by_size = counts.masked_fill(~problems.used, labels.shape[1] + 1).argsort(dim=1, stable=True)
    numbers = torch.arange(width, device=labels.device)
    dissolved = torch.zeros_like(giant).scatter(1, by_size, numbers < extra)

    # A giant that gets too few pieces keeps the keys that fit it best.
    keeps = pieces.mul(caps).where(giant, labels.shape[1]).masked_fill(dissolved, 0)
    own = labels.clamp(max=width - 1)
    similarity = own_products(problems.points, means(problems, labels), own)
    homeless = rank_in_cluster(labels, -similarity) >= keeps.gather(1, own)
    homeless &= problems.valid
    labels = labels.masked_fill(homeless, width)
    labels = _cut(problems, labels, pieces.masked_fill(dissolved, 0), dissolved)
    return _rehome(problems, labels, homeless, caps)


def _pieces(counts: torch.Tensor, caps: torch.Tensor, clusters: torch.Tensor) -> torch.Tensor:
    """Pieces that each cluster is cut into, ``[P, C]``; those of the giants never exceed C together."""
    giant = counts > caps
    pieces = (counts + caps - 1) // caps
    fits = pieces.where(giant, 0).sum(dim=1) <= clusters
    return pieces.where(fits.unsqueeze(1), counts // caps).clamp(min=1)


def _cut(
    problems: Problems, labels: torch.Tensor, pieces: torch.Tensor, free: torch.Tensor
) -> torch.Tensor:
    """Cuts every cluster into its number of pieces; new pieces take the numbers marked in ``free``."""
    width = problems.width
    numbers = torch.arange(width, device=labels.device)
    free_numbers = (~free).int().argsort(dim=1, stable=True)
    taken = torch.zeros_like(pieces[:, :1])
    for _ in range(
        max(int(pieces.max()) - 1, 0).bit_length()
    ):  # the most pieces, in halves of halves
        cutting = pieces >= 2
        place = (taken + cutting.cumsum(dim=1) - 1).clamp(min=0, max=width - 1)
        upper = free_numbers.gather(1, place).where(cutting, numbers)
        taken = taken + cutting.sum(dim=1, keepdim=True)
        lower = torch.where(cutting, pieces // 2, pieces)
        counts = label_counts(labels, width + 1)[:, :width]
        # Sizes in proportion to the pieces, so that all pieces of a cluster end equally large.
        ends = torch.where(cutting, counts * lower // pieces.clamp(min=1), counts)

        split = split_clusters(problems, labels)
        own = split.labels.clamp(max=width - 1)
        above = rank_in_cluster(split.labels, split.along) >= ends.gather(1, own)
        above &= split.labels < width
        labels = labels.scatter(1, split.order, upper.gather(1, own).where(above, split.labels))
        pieces = lower.scatter_add(1, upper, pieces - lower)
    return labels


def _rehome(
    problems: Problems, labels: torch.Tensor, homeless: torch.Tensor, caps: torch.Tensor
) -> torch.Tensor:
    """Gives every row marked in ``homeless`` the most similar cluster with room; better fits go first."""
    width = problems.width
    centroids = means(problems, labels).transpose(1, 2)
    for _ in range(OFFERS):
        most = int(homeless.sum(dim=1).max())
        if most == 0:
            return labels
        room = _room(problems, labels, caps)
        rows = (~homeless).int().argsort(dim=1, stable=True)[:, :most]
        real = homeless.gather(1, rows)
        closed = (room == 0).unsqueeze(1)
        best = [
            torch.bmm(block, centroids).masked_fill(closed, -torch.inf).max(dim=-1)
            for block in row_blocks(take_rows(problems.points, rows), width)
        ]
        wish = torch.cat([b.indices for b in best], dim=1)
        similarity = torch.cat([b.values for b in best], dim=1)
        turn = rank_in_cluster(wish.where(real, width), -similarity)
        let_in = real & (turn < room.gather(1, wish))
        labels = labels.scatter(1, rows, wish.where(let_in, labels.gather(1, rows)))
        homeless = homeless.scatter(1, rows, real & ~let_in)
    places = segment_starts(_room(problems, labels, caps))[:, 1:].contiguous()
    turn = homeless.long().cumsum(dim=1) - 1
    last = torch.searchsorted(places, turn.clamp(min=0), right=True)
    return last.where(homeless, labels)


def _room(problems: Problems, labels: torch.Tensor, caps: torch.Tensor) -> torch.Tensor:
    """Rows that each cluster can still take, ``[P, C]``."""
    counts = label_counts(labels, problems.width + 1)[:, : problems.width]
    return (caps - counts).clamp(min=0) * problems.used
