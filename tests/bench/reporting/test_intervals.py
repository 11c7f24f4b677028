"""Intervals on data whose bootstrap can be worked out by hand."""

import math

import pytest

from bench.reporting.statistics.intervals import cluster_mean


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
