"""Confidence intervals of means whose examples share contexts."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95
LEAST_CONTEXTS = 2  # one context says nothing about others


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are NaN where one context says nothing."""

    mean: float
    low: float
    high: float


def score_mean(values: Any, clusters: Any) -> Interval:
    """Mean of scores in [0, 1] with its 95 % interval.

    As ``cluster_mean``, except where all scores are 0, or all are 1: draws of equal values are equal, so
    a bootstrap would claim to be certain. There Wilson's interval stands, with as many trials as there are
    contexts: all questions of a context are taken for one. It is wide, which four right answers deserve.

    Args:
        values: ``[n]`` floats. clusters: ``[n]``, the context of each.
    """
    values = np.asarray(values, dtype=float)
    contexts = len(np.unique(np.asarray(clusters)))
    edge = values[0]
    if contexts < LEAST_CONTEXTS or edge not in (0.0, 1.0) or (values != edge).any():
        return cluster_mean(values, clusters)
    found = stats.binomtest(int(edge) * contexts, contexts)
    interval = found.proportion_ci(confidence_level=LEVEL, method="wilson")
    return Interval(float(edge), float(interval.low), float(interval.high))


def cluster_mean(values: Any, clusters: Any, seed: int = 0) -> Interval:
    """Mean of ``values`` with a percentile bootstrap over whole clusters.

    Questions on one context succeed or fail together, so contexts are drawn, not questions. With
    one question a context it is the usual bootstrap. The interval of equal values has no width: a difference
    of ``0.000 (0.000 to 0.000)`` says that no score differed, not that none ever will.

    Args:
        values: ``[n]`` floats. clusters: ``[n]``, the context of each. seed: of the draws.
    """
    values = np.asarray(values, dtype=float)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    counts = np.bincount(member).astype(float)
    sums = np.bincount(member, weights=values)
    mean = float(values.mean())
    if len(counts) < LEAST_CONTEXTS:
        return Interval(mean, float("nan"), float("nan"))

    def pooled(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
        return sums.sum(axis=axis) / counts.sum(axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap(
            (sums, counts),
            pooled,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=LEVEL,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return Interval(mean, float(interval.low), float(interval.high))
