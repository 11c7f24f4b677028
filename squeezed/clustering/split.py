"""Cutting clusters in two, all clusters of all heads at once.

The two halves come from a few steps of 2-means inside each cluster, started from two keys far apart. The
difference of the halves' centroids is the direction along which the cluster is longest, for practical
purposes; a cut may be where 2-means puts it, or at a wanted size.
"""

from dataclasses import dataclass

import torch
from squeezed_kernels import label_least, label_order, label_sums, own_products, take_rows

from squeezed.clustering.problems import Problems, normalise

STEPS = 3  # of 2-means; a fourth changes the gain of a split by under 1 % on keys


@dataclass(frozen=True)
class Split:
    """How each cluster would be cut in two.

    Attributes:
        order: int64 ``[P, M]``; rows, cluster by cluster.
        labels: int64 ``[P, M]``; cluster of each of those.
        along: float32 ``[P, M]``; place of each of those along its cluster's direction; the half above 0 is
            what 2-means cuts off.
        sums: float32 ``[P, C, D]``; weighted sum of each cluster's unit rows.
        gain: float32 ``[P, C]``; by how much the cut raises the sum of similarities to the own centroid.
    """

    order: torch.Tensor
    labels: torch.Tensor
    along: torch.Tensor
    sums: torch.Tensor
    gain: torch.Tensor


def split_clusters(problems: Problems, labels: torch.Tensor) -> Split:
    """Finds the cut of every cluster; ``labels`` ``[P, M]`` with C for padding rows."""
    width = problems.width
    order = label_order(labels, width + 1)
    labels = labels.gather(1, order)
    rows = take_rows(problems.points, order)
    weights = problems.weights.gather(1, order)
    sums = label_sums(rows, weights, labels, width + 1)
    lengths = sums.norm(dim=-1)

    far = _least_similar(rows, sums, labels)
    other = _least_similar(rows, far, labels)
    direction = far - other
    for _ in range(STEPS):
        along = own_products(rows, direction, labels)
        upper = label_sums(rows, weights * (along > 0), labels, width + 1)
        direction = normalise(upper) - normalise(sums - upper)
    gain = upper.norm(dim=-1) + (sums - upper).norm(dim=-1) - lengths
    # Rounding aside, no cut can lose.
    return Split(order, labels, along, sums[:, :width], gain[:, :width].clamp(min=0))


def _least_similar(rows: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The row of each cluster that is least similar to the cluster's row of ``centres``: ``[P, C, D]``.

    A cluster without rows gets some row.
    """
    similarity = own_products(rows, normalise(centres), labels)
    return take_rows(rows, label_least(similarity, labels, centres.shape[1]))
