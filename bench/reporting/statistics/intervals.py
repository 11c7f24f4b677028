"""Confidence intervals of means whose examples share contexts."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95
FEWEST = 2  # one context says nothing about others


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are NaN where one context says nothing."""

    mean: float
    low: float
    high: float


def score_mean(values: Any, clusters: Any) -> Interval:
    """Mean of scores in [0, 1] with its 95 % interval.

    As ``cluster_mean``, except where scores are right or wrong, and every context has the same share of right
    ones, most often all or none: draws of equal values are equal, so a bootstrap would claim to be certain.
    There Wilson's interval stands, with as many trials as there are contexts: all questions of a context are
    taken for one. It is wide, which four right answers deserve.

    Args:
        values: ``[n]`` floats. clusters: ``[n]``, the context of each.
    """
    found = cluster_mean(values, clusters)
    certain = found.low == found.high and np.isin(np.asarray(values, dtype=float), (0, 1)).all()
    return _wilson(found.mean, len(np.unique(np.asarray(clusters)))) if certain else found


def _wilson(share: float, trials: int) -> Interval:
    """Wilson's score interval; ``scipy.stats.binomtest`` has it for whole numbers only."""
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    more = z * z / trials
    half = z * float(np.sqrt(share * (1 - share) / trials + more / (4 * trials)))
    low, high = ((share + more / 2 + side * half) / (1 + more) for side in (-1, 1))
    low, high = (0.0 if share == 0 else low), (1.0 if share == 1 else high)  # without rounding
    return Interval(share, low, high)


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
    if len(counts) < FEWEST:
        return Interval(mean, float("nan"), float("nan"))

    low, high = _bounds(sums.tobytes(), counts.tobytes(), seed)
    return Interval(mean, low, high)


@functools.lru_cache(maxsize=1 << 14)
def _bounds(sums: bytes, counts: bytes, seed: int) -> tuple[float, float]:
    """The bounds of ``cluster_mean``, by the float64 sums and counts of the clusters.

    The draws and the quantiles are those of ``scipy.stats.bootstrap`` with ``method="percentile"``, to the
    last bit, without its checks, which took most of the time. A report asks for many intervals twice.
    """
    values, sizes = np.frombuffer(sums), np.frombuffer(counts)
    drawn = _draws(len(sizes), seed)
    means = np.sort(values[drawn].sum(-1) / sizes[drawn].sum(-1))
    tail = (1 - LEVEL) / 2
    return _quantile(means, tail), _quantile(means, 1 - tail)


@functools.lru_cache(maxsize=8)
def _draws(count: int, seed: int) -> np.ndarray:
    """Which of ``count`` clusters each resample draws, ``[RESAMPLES, count]``."""
    return np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))


def _quantile(ordered: np.ndarray, share: float) -> float:
    """The quantile between the two nearest values (Hyndman and Fan's type 7)."""
    place = share * len(ordered) + (1 - share)
    upper = place // 1
    part, lower = place % 1, max(upper - 1, 0)
    upper = min(upper, len(ordered) - 1)
    return float((1 - part) * ordered[int(lower)] + part * ordered[int(upper)])
