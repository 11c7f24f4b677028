"""Spherical K-means over the keys of all heads of a layer at once (paper section 3.1).

Keys are compared by cosine: they are normalised, assigned to the most similar centroid, and a centroid is
the normalised (weighted) mean of its members. Every cluster ends with at least one key.
"""

import torch
from squeezed_kernels import all_finite, label_order

from squeezed.clustering.balance import limit_sizes, size_cap
from squeezed.clustering.lloyd import lloyd, means
from squeezed.clustering.partition import Clustering, label_counts
from squeezed.clustering.problems import Problems, uniform_problems
from squeezed.clustering.seeding import draw_uniform, seed_centroids

# Raised when the same keys and seed give other clusters than before, so that caches of indexes are made anew.
VERSION = 2

# Inertia is 1.007 times that of 20 steps, at 0.3 of their time (SmolLM2, 4,096 tokens, 5 % centroids).
MAX_ITERATIONS = 6
TOLERANCE = 1e-3
# Numbers of key data (keys x D) clustered at once; further heads are clustered after them. Beyond the keys
# and the result, clustering holds three to four float32 copies of that and two blocks of
# assign.ASSIGN_BLOCK numbers: 450 MiB measured. A head larger than this is a group of its own.
GROUP_ELEMENTS = 1 << 25
# Splitting puts the centroids where the keys are, and a few steps of Lloyd's let them settle there; clusters
# that grow over the cap again are split once more, and after the last split nothing moves.
BALANCE_ROUNDS = 2
BALANCE_ITERATIONS = 3


def spherical_kmeans(
    keys: torch.Tensor,
    clusters: int,
    seed: int = 0,
    *,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
    balance: float | None = None,
    weights: torch.Tensor | None = None,
) -> Clustering:
    """Clusters every head's keys under cosine distance.

    Each head is solved for itself: it takes nothing from the heads beside it, and stops when it has
    converged. Same keys, same seed, same device: same bits.

    Args:
        keys: ``[H, M, D]``, any float dtype; computed in float32.
        clusters: C, clusters a head, ``1 <= C <= M``.
        seed: of the k-means++ seeding.
        max_iterations: of Lloyd's algorithm, at least 1.
        tolerance: a head has converged when fewer than this share of its keys changed cluster.
        balance: hard cap of a cluster's size, as a multiple of the mean size M / C; at least 1. ``None``: no
            cap. Giants are split and the smallest clusters dissolved, C stays.
        weights: ``[H, M]``, what each key counts for in the centroids; ``None``: all the same. The sizes that
            ``balance`` caps are numbers of keys, whatever they weigh.

    Raises:
        ValueError: C outside 1..M, keys or weights that are not finite, negative weights, an impossible cap.
    """
    check_input(keys, weights)
    heads, count, _ = keys.shape
    if not 1 <= clusters <= count:
        raise ValueError(f"{clusters} clusters of {count} keys; expected between 1 and {count}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations={max_iterations}; expected at least 1")
    cap = size_cap(count, clusters, balance)
    draws = draw_uniform(heads, clusters, seed)
    labels = []
    for part in head_groups(keys):
        own = None if weights is None else weights[part]
        problems = uniform_problems(keys[part], clusters, own)
        caps = None if cap is None else torch.full_like(problems.sizes, cap)
        labels.append(solve(problems, draws[part], caps, max_iterations, tolerance))
    joined = torch.cat(labels)
    return Clustering(label_order(joined, clusters), label_counts(joined, clusters))


def head_groups(keys: torch.Tensor) -> list[slice]:
    """Heads of ``keys`` ``[H, M, D]`` that are worked on together."""
    heads, count, size = keys.shape
    group = max(1, GROUP_ELEMENTS // (count * size))
    return [slice(first, first + group) for first in range(0, heads, group)]


def check_input(keys: torch.Tensor, weights: torch.Tensor | None = None) -> None:
    """Refuses keys and weights that cannot be clustered."""
    if keys.ndim != 3 or 0 in keys.shape:
        raise ValueError(f"keys of shape {tuple(keys.shape)}; expected [heads, keys, size], none 0")
    if not all_finite(keys):
        raise ValueError("the keys to cluster contain NaN or infinity")
    if weights is None:
        return
    if weights.shape != keys.shape[:2]:
        wanted = tuple(keys.shape[:2])
        raise ValueError(f"weights of shape {tuple(weights.shape)}; expected {wanted}")
    if not (all_finite(weights) and bool(weights.amin() >= 0)):
        raise ValueError("the weights of the keys contain NaN, infinity or negative numbers")


def solve(
    problems: Problems,
    draws: torch.Tensor,
    caps: torch.Tensor | None,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> torch.Tensor:
    """Labels int64 ``[P, M]`` of a batch of problems; C for padding rows.

    Args:
        draws: random numbers of the seeding. caps: largest size of a cluster, int64 ``[P]``, or ``None``.
    """
    labels = lloyd(problems, seed_centroids(problems, draws), max_iterations, tolerance)
    if caps is None:
        return labels
    for _ in range(BALANCE_ROUNDS):
        counts = label_counts(labels, problems.width + 1)[:, : problems.width]
        over = (counts > caps.unsqueeze(1)).any(dim=1).nonzero().flatten()
        if len(over) == 0:
            return labels
        some = problems.select(over)
        start = means(some, limit_sizes(some, labels[over], caps[over]))
        settled = lloyd(some, start, BALANCE_ITERATIONS, tolerance, swaps=False)
        labels = labels.index_copy(0, over, settled)
    return limit_sizes(problems, labels, caps)
