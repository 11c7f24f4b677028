"""A method against full attention on the same questions: how large the difference is, and how sure."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from bench.reporting.statistics.intervals import Interval, cluster_mean

LEAST_CONTEXTS = 5  # below, draws of whole contexts are too much alike for an interval


@dataclass(frozen=True)
class Comparison:
    """Paired differences of scores, ours minus the reference's.

    Attributes:
        delta: mean difference, with an interval over whole contexts.
        better, worse: questions with a higher and a lower score.
        p_sign: exact sign test on those; p_wilcoxon: signed-rank test on all differences that are not 0.
            Both two-sided. They take questions for independent, which those on one context are not quite;
            the interval does not.
        inside_noise: as ``is_noise``: the data do not show a difference.
    """

    delta: Interval
    better: int
    worse: int
    p_sign: float
    p_wilcoxon: float
    inside_noise: bool


def compare(ours: pd.Series, reference: pd.Series, contexts: pd.Series) -> Comparison:
    """Compares scores of the same questions, ``[n]`` each.

    Raises:
        ValueError: no question.
    """
    if not len(ours):
        raise ValueError("there is no question that both have answered")
    differences = np.asarray(ours, dtype=float) - np.asarray(reference, dtype=float)
    delta = cluster_mean(differences, contexts)
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    return Comparison(
        delta,
        better,
        worse,
        _sign_test(better, worse),
        _wilcoxon(differences),
        is_noise(delta, contexts.nunique()),
    )


def is_noise(difference: Interval, contexts: int) -> bool:
    """Whether a difference may be chance: its interval holds 0, or is of too few contexts to be believed."""
    return contexts < LEAST_CONTEXTS or not (difference.low > 0 or difference.high < 0)


def _sign_test(better: int, worse: int) -> float:
    """1 where nothing differs."""
    return float(stats.binomtest(better, better + worse).pvalue) if better + worse else 1.0


def _wilcoxon(differences: np.ndarray) -> float:
    """1 where nothing differs."""
    differing = differences[differences != 0]
    if not len(differing):
        return 1.0
    # The exact distribution knows no ties, and scores of questions have many.
    return float(stats.wilcoxon(differing, method="approx", correction=True).pvalue)


def effect_of_n(differences: pd.Series, contexts: pd.Series) -> list[tuple[int, Interval]]:
    """The mean difference as more contexts come in, in their order: 2, 4, 8, ... and all of them.

    Shows from which number on a difference stands out of the noise, and how the interval narrows.
    """
    order = list(dict.fromkeys(contexts))
    steps = [count for k in range(1, 20) if (count := 2**k) < len(order)]
    found = []
    for count in [*steps, len(order)]:
        inside = contexts.isin(order[:count])
        found.append((count, cluster_mean(differences[inside], contexts[inside])))
    return found
