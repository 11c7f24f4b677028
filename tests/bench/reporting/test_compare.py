"""Paired comparisons whose tests can be worked out by hand."""

import math

import pandas as pd
import pytest

from bench.reporting.statistics.compare import compare, effect_of_n
from bench.reporting.statistics.intervals import cluster_mean


def test_a_clear_loss() -> None:
    ours, full = pd.Series([0.0] * 10), pd.Series([1.0] * 10)
    found = compare(ours, full, pd.Series(range(10)))
    assert (found.better, found.worse) == (0, 10)
    assert found.p_sign == pytest.approx(2 / 2**10)  # both tails of ten equal signs
    assert found.p_wilcoxon < 0.01
    assert (found.delta.mean, found.inside_noise) == (-1.0, False)


def test_a_clear_gain_is_a_clear_loss_in_the_mirror() -> None:
    ours, full = pd.Series([1.0] * 10), pd.Series([0.0] * 10)
    found = compare(ours, full, pd.Series(range(10)))
    assert (found.better, found.worse) == (10, 0)
    assert found.p_sign == pytest.approx(2 / 2**10)
    assert (found.delta.mean, found.inside_noise) == (1.0, False)


def test_as_many_gains_as_losses_are_noise() -> None:
    ours, full = pd.Series([1.0, 0.0] * 5), pd.Series([0.0, 1.0] * 5)
    found = compare(ours, full, pd.Series(range(10)))
    assert (found.better, found.worse, found.p_sign) == (5, 5, 1.0)
    assert found.p_wilcoxon > 0.9
    assert found.inside_noise


def test_one_bad_context_is_noise_though_its_questions_are_many() -> None:
    # Ten questions lost, all on one of three contexts: a draw without that context is not rare.
    ours = pd.Series([0.0] * 10 + [1.0] * 20)
    found = compare(ours, pd.Series([1.0] * 30), pd.Series(["a"] * 10 + ["b"] * 10 + ["c"] * 10))
    assert found.p_sign < 0.01
    assert found.inside_noise


def test_equal_scores() -> None:
    same = pd.Series([1.0, 0.5])
    found = compare(same, same, pd.Series(["a", "b"]))
    assert (found.p_sign, found.p_wilcoxon, found.delta.mean) == (1.0, 1.0, 0.0)
    assert found.inside_noise


def test_one_context_has_no_interval_and_shows_nothing() -> None:
    found = compare(pd.Series([0.0, 0.0]), pd.Series([1.0, 1.0]), pd.Series(["a", "a"]))
    assert math.isnan(found.delta.low)
    assert found.inside_noise


def test_no_question_is_refused() -> None:
    nothing = pd.Series([], dtype=float)
    with pytest.raises(ValueError, match="no question"):
        compare(nothing, nothing, nothing)


def test_the_interval_narrows_with_the_contexts() -> None:
    contexts = pd.Series([f"c{i // 2}" for i in range(24)])
    found = effect_of_n(pd.Series([-1.0, 1.0, 0.0, -1.0] * 6), contexts)
    assert [count for count, _ in found] == [2, 4, 8, 12]
    widths = [interval.high - interval.low for _, interval in found]
    assert widths[-1] < widths[0]
    assert found[-1][1] == cluster_mean([-1.0, 1.0, 0.0, -1.0] * 6, contexts)


@pytest.mark.parametrize(("contexts", "noise"), [(4, True), (5, False)])
def test_a_few_contexts_show_nothing(contexts: int, noise: bool) -> None:
    lost = pd.Series([-1.0, 0.0] * contexts)
    of = pd.Series([i // 2 for i in range(2 * contexts)])
    found = compare(lost, pd.Series([0.0] * 2 * contexts), of)
    assert found.delta.high < 0
    assert found.inside_noise == noise
