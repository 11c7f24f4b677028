"""Bounds of a paired difference over few questions that share contexts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Bounds:
    """A mean difference, and where it can be: each of the two bounds fails with its own probability."""

    mean: float
    low: float
    high: float


def bounds(differences: Any, contexts: Any, risk: float) -> Bounds:
    """The mean difference of questions, with a lower and an upper bound.

    Questions on one context succeed or fail together, so contexts are what is drawn: the mean is a ratio of
    sums over contexts, its error is the linearised one of such a ratio (Cochran, Sampling Techniques, 3rd
    edition, section 6.3), and Student's t with a degree of freedom less than there are contexts takes the
    place of a bootstrap, whose intervals are too narrow with few contexts.

    Equal differences have no spread, and would give a bound without any doubt. So each bound is taken as if
    one more question, on a context of its own, had been lost wholly (won wholly, for the upper one). After n
    questions without any difference the lower bound is about ``-(1 + t) / n``, as in the rule of three.

    Args:
        differences: ``[n]`` floats in [-1, 1], score minus full attention's score.
        contexts: ``[n]``, the context of each.
        risk: that the lower bound is too high; that the upper one is too low has the same.

    Raises:
        ValueError: fewer than two contexts, which say nothing about others.
    """
    values = np.asarray(differences, dtype=float)
    names, member = np.unique(np.asarray(contexts), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} context says nothing about others; at least 2 are needed")
    sums, counts = np.bincount(member, weights=values), np.bincount(member)
    quantile = float(stats.t.ppf(1 - risk, len(names) - 1))
    ends = []
    for worst in (-1.0, 1.0):
        mean, error = _ratio(np.append(sums, worst), np.append(counts, 1))
        ends.append(mean + worst * quantile * error)
    return Bounds(float(values.mean()), max(-1.0, ends[0]), min(1.0, ends[1]))


def _ratio(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """A ratio of sums over clusters, and its standard error."""
    clusters, total = len(sums), counts.sum()
    mean = sums.sum() / total
    spread = ((sums - mean * counts) ** 2).sum() * clusters / (clusters - 1)
    return float(mean), float(np.sqrt(spread) / total)


def best_possible(questions: int, contexts: int, risk: float) -> float:
    """The lower bound of a method that changes no score, after so many questions on so many contexts."""
    spread = np.arange(questions) % contexts
    return bounds(np.zeros(questions), spread, risk).low
