"""Triton kernel of K-means' inner step: similarity and maximum in one, no ``M x C`` matrix in memory."""

import triton
import triton.language as tl

from squeezed_kernels.triton.common import product


@triton.jit
def nearest(
    points, centroids, labels, similarity, count, clusters,
    D: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """The most similar centroid of ``BLOCK_M`` points of one head; of equal ones the first."""
    head = tl.program_id(1).to(tl.int64)
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    d = tl.arange(0, BLOCK_D)
    columns = (d < D)[None, :]
    address = (head * count + m)[:, None] * D + d[None, :]
    mine = tl.load(points + address, mask=(m < count)[:, None] & columns, other=0.0)
    best = tl.full([BLOCK_M], float("-inf"), tl.float32)
    label = tl.zeros([BLOCK_M], tl.int32)
    for first in range(0, clusters, BLOCK_C):
        c = first + tl.arange(0, BLOCK_C)
        address = (head * clusters + c)[:, None] * D + d[None, :]
        theirs = tl.load(centroids + address, mask=(c < clusters)[:, None] & columns, other=0.0)
        alike = product(mine, tl.trans(theirs), PRECISION)
        alike = tl.where((c < clusters)[None, :], alike, float("-inf"))
        high, where = tl.max(alike, axis=1, return_indices=True)
        better = high > best
        label = tl.where(better, first + where, label)
        best = tl.where(better, high, best)
    tl.store(labels + head * count + m, label.to(tl.int64), mask=m < count)
    tl.store(similarity + head * count + m, best, mask=m < count)
