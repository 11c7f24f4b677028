"""The assignment step: which centroid is most similar to each key."""

import squeezed_kernels
import torch

from squeezed.clustering.problems import Problems

ASSIGN_BLOCK = 1 << 24  # similarities held at once, in elements (64 MiB)


def assign(problems: Problems, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Most similar centroid of every row and the similarity, both ``[P, M]``.

    Args:
        problems: the rows. centroids: unit rows ``[P, C, D]``; numbers that a problem does not use are
            ignored. A padding row gets the label C.
    """
    unused = ~problems.used
    # A copy of the first centroid can win only where the first one could: its label is mapped back.
    centroids = torch.where(unused.unsqueeze(-1), centroids[:, :1], centroids)
    labels, similarity = squeezed_kernels.assign(problems.points, centroids)
    labels = labels.where(labels < problems.clusters.unsqueeze(1), 0)
    return labels.where(problems.valid, problems.width), similarity


def row_blocks(rows: torch.Tensor, columns: int) -> tuple[torch.Tensor, ...]:
    """``rows`` ``[P, M, ...]`` cut along M so that ``columns`` numbers a row fit into ``ASSIGN_BLOCK``."""
    return rows.split(max(1, ASSIGN_BLOCK // (rows.shape[0] * columns)), dim=1)
