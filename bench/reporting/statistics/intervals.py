"""Confidence intervals of means whose examples share contexts."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are NaN where one context says nothing."""

    mean: float
    low: float
    high: float


def cluster_mean(values: Any, clusters: Any, seed: int = 0) -> Interval:
    """Mean of ``values`` with a percentile bootstrap over whole clusters.

    Questions on one context succeed or fail together, so contexts are drawn, not questions. With
    one question a context it is the usual bootstrap. The interval of equal values has no width.

    Args:
        values: ``[n]`` floats. clusters: ``[n]``, the context of each. seed: of the draws.
    """
    values = np.asarray(values, dtype=float)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    counts = np.bincount(member).astype(float)
    sums = np.bincount(member, weights=values)
    mean = float(values.mean())
    if len(counts) < 2:
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
