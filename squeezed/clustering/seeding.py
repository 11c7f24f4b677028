"""k-means++ seeding in rounds.

k-means++ draws each seed with a probability in proportion to its squared distance from the seeds so far, one
after the other: C passes over the keys. Here a round draws half as many seeds as there are from the same
distribution, by systematic sampling, so C seeds take about ``4 + 2.5 ln(C / 4)`` rounds (14 for 200, 23 for
6500), and all rounds together multiply as much as one assignment step. Swaps (``swap``) mend what a round
misses: with tenths in place of halves, six steps of Lloyd's end at the same inertia on keys of a model
(SmolLM2, 5 % centroids), 2 % lower on 819 separate groups, and seeding takes three times as long.
"""

import torch
from squeezed_kernels import assign, take_rows

from squeezed.clustering.problems import Problems

GROWTH = 2  # a round adds one seed for this many that there are
FIXED_POINT = float(1 << 31)  # 2^31 rows of the largest mass can be summed in 63 bits
SAME_KEY = 4e-7  # cosine distances up to here are float32 rounding


def round_sizes(clusters: int) -> list[int]:
    """Seeds of each round; they sum to ``clusters``."""
    sizes: list[int] = []
    done = 0
    while done < clusters:
        sizes.append(min(max(1, done // GROWTH), clusters - done))
        done += sizes[-1]
    return sizes


def draw_uniform(problems: int, clusters: int, seed: int) -> torch.Tensor:
    """The random numbers of the seeding, float64 ``[P, rounds]`` in [0, 1).

    They come from a CPU generator, row by row, so that a problem's do not depend on the device or on
    how many problems follow.
    """
    generator = torch.Generator().manual_seed(seed)
    rounds = len(round_sizes(clusters))
    return torch.rand(problems, rounds, generator=generator, dtype=torch.float64)


def seed_centroids(problems: Problems, draws: torch.Tensor) -> torch.Tensor:
    """Unit seeds ``[P, C, D]``; ``draws`` from ``draw_uniform``, one row a problem."""
    points = problems.points
    weights = problems.weights.double()
    weights = weights / weights.amax(dim=1, keepdim=True).clamp(min=1e-300)
    draws = draws.to(points.device)
    nearest = torch.full_like(problems.weights, -1.0)
    distance = torch.ones_like(weights)
    seeds: list[torch.Tensor] = []
    done = 0
    for number, size in enumerate(round_sizes(problems.width)):
        # A problem's last round is cut off by its own number of clusters, not by that of those beside it.
        own = (problems.clusters - done).clamp(min=0, max=size)
        chosen = systematic_sample(weights * distance, own, size, draws[:, number])
        done += size
        seeds.append(take_rows(points, chosen))
        nearest = torch.maximum(nearest, assign(points, seeds[-1])[1])
        distance = (1 - nearest.double()) / 2
        distance = distance.where(distance > SAME_KEY / 2, 0)
    return torch.cat(seeds, dim=1)


def systematic_sample(
    mass: torch.Tensor, sizes: torch.Tensor, width: int, start: torch.Tensor
) -> torch.Tensor:
    """Draws some rows of each problem with probabilities in proportion to ``mass``.

    Args:
        mass: float64 ``[P, M]`` in 0..1. sizes: int64 ``[P]``, rows to draw, at most ``width``.
        start: float64 ``[P]`` in [0, 1); the one random number needed.

    Returns:
        int64 ``[P, width]``, the first ``sizes`` of each ascending, the others any row; a row comes twice
        only if it holds more than 1 / size of the mass.
    """
    # Integers: their sums do not depend on the order in which a device adds them up.
    cumulative = (mass * FIXED_POINT).round().long().cumsum(dim=1)
    total = cumulative[:, -1:]
    places = torch.arange(width, device=mass.device, dtype=torch.float64)
    share = (places + start.unsqueeze(1)) / sizes.clamp(min=1).unsqueeze(1)
    target = (share * total.double()).long()
    target = torch.minimum(target, total - 1).clamp(min=0)
    return torch.searchsorted(cumulative, target, right=True).clamp(max=mass.shape[1] - 1)
