"""Intervals on data whose bootstrap can be worked out by hand."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from bench.reporting.statistics.intervals import cluster_mean, score_mean


def test_whole_contexts_are_drawn() -> None:
    # Contexts with means 0.5 and 1: a draw of two has mean 0.5, 0.75, 0.75 or 1, a quarter each.
    together = cluster_mean([1, 0, 1, 1], ["a", "a", "b", "b"])
    assert (together.mean, together.low, together.high) == (0.75, 0.5, 1.0)


def test_single_questions_give_the_plain_bootstrap() -> None:
    # Three or four zeros among four draws with p = 1/4 come in 5 % of the cases, four in 0.4 %.
    alone = cluster_mean([1, 0, 1, 1], ["a", "b", "c", "d"])
    assert (alone.mean, alone.low, alone.high) == (0.75, 0.25, 1.0)


def test_a_large_context_weighs_more() -> None:
    assert cluster_mean([1, 1, 1, 0], ["a", "a", "a", "b"]).mean == 0.75


def test_equal_values_have_no_width() -> None:
    interval = cluster_mean([1, 1, 1], ["a", "b", "c"])
    assert (interval.low, interval.high) == (1, 1)


def test_one_context_has_no_interval() -> None:
    interval = cluster_mean([1, 0], ["a", "a"])
    assert interval.mean == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_seeded() -> None:
    values, contexts = [i % 3 / 2 for i in range(40)], list(range(40))
    assert cluster_mean(values, contexts) == cluster_mean(values, contexts)
    assert cluster_mean(values, contexts).low < 0.475 < cluster_mean(values, contexts).high
    assert cluster_mean(values, contexts).mean == pytest.approx(0.4875)


@pytest.mark.parametrize("contexts", [2, 3, 7, 40, 211])
def test_it_is_scipys_bootstrap_to_the_last_bit(contexts: int) -> None:
    draw = np.random.default_rng(contexts)
    for values in (draw.random(3 * contexts), draw.integers(0, 2, 3 * contexts) / 1.0):
        member = np.concatenate([np.arange(contexts), draw.integers(0, contexts, 2 * contexts)])
        sums, counts = np.bincount(member, values), np.bincount(member).astype(float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            wanted = stats.bootstrap(
                (sums, counts),
                lambda sums, counts, axis: sums.sum(axis) / counts.sum(axis),
                paired=True,
                vectorized=True,
                n_resamples=2000,
                confidence_level=0.95,
                method="percentile",
                rng=np.random.default_rng(0),
            ).confidence_interval
        found = cluster_mean(values, member)
        assert (found.low, found.high) == (wanted.low, wanted.high)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_a_share_at_the_edge_has_wilsons_interval_over_contexts(edge: float) -> None:
    # Wilson with z = 1.96: the far end is at n / (n + z * z) of the way, for n contexts.
    alone = score_mean([edge] * 4, ["a", "b", "c", "d"])
    assert alone.mean == edge
    width = alone.high - alone.low
    assert width == pytest.approx(1.96**2 / (4 + 1.96**2), abs=1e-3)
    # Questions that share contexts count as often as there are contexts.
    assert score_mean([edge] * 40, list("abcd") * 10) == alone
    assert (alone.high if edge else alone.low) == edge


@pytest.mark.parametrize(("right", "contexts"), [(0, 4), (3, 4), (4, 4), (12, 16)])
def test_wilsons_interval_is_scipys(right: int, contexts: int) -> None:
    # Every context has the same share of right ones, so that no draw differs from another.
    each = [1.0] * right + [0.0] * (contexts - right)
    found = score_mean(each * contexts, [name for name in range(contexts) for _ in each])
    expected = stats.binomtest(right, contexts).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_scores_inside_are_drawn_by_context() -> None:
    values, contexts = [1, 0.5, 1, 1], ["a", "a", "b", "b"]
    assert score_mean(values, contexts) == cluster_mean(values, contexts)
    same = score_mean([0.5, 0.5], ["a", "b"])  # no share at an edge: F1, or half of the answers
    assert (same.low, same.high) == (0.5, 0.5)


def test_one_context_has_no_interval_at_the_edge_either() -> None:
    assert math.isnan(score_mean([1, 1, 1], ["a", "a", "a"]).low)
