"""Bounds of paired differences: hand-worked numbers, and how often they are wrong."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.racing.bound import best_possible, bounds


def test_no_difference_is_not_certainty() -> None:
    # 6 questions on 3 contexts, and one lost on its own: mean -1/7, residuals 2/7, 2/7, 2/7, -6/7.
    error = math.sqrt((3 * (2 / 7) ** 2 + (6 / 7) ** 2) * 4 / 3) / 7
    found = bounds([0.0] * 6, ["a", "a", "b", "b", "c", "c"], risk=0.05)
    assert found.mean == 0
    assert found.low == pytest.approx(-1 / 7 - stats.t.ppf(0.95, 2) * error)
    assert found.high == pytest.approx(-found.low)
    assert best_possible(6, 3, 0.05) == pytest.approx(found.low)


def test_questions_of_one_context_are_not_independent() -> None:
    lost = [-1.0] * 4 + [0.0] * 28
    together = bounds(lost, np.arange(32) // 4, risk=0.05)
    apart = bounds(lost, np.arange(32) % 8, risk=0.05)
    assert together.mean == apart.mean == -0.125
    assert together.low < apart.low - 0.1


def test_less_risk_is_a_wider_bound_and_more_questions_a_closer_one() -> None:
    assert best_possible(192, 24, 0.001) < best_possible(192, 24, 0.05)
    assert best_possible(192, 24, 0.001) > best_possible(48, 24, 0.001)


def test_one_context_says_nothing() -> None:
    with pytest.raises(ValueError, match="says nothing about others"):
        bounds([0.0, 0.0], ["a", "a"], risk=0.05)


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_a_method_that_loses_just_too_much_seldom_passes(spread: float) -> None:
    """Contexts differ by ``spread``; the bound's risk is 5 %, and 600 draws are 1 % off at most."""
    draw = np.random.default_rng(0)
    loss, contexts = 0.1, np.repeat(np.arange(24), 8)
    passed = 0
    for _ in range(600):
        each = np.clip(draw.normal(loss, spread, 24), 0, 1)[contexts]
        passed += bounds(-(draw.random(192) < each).astype(float), contexts, 0.05).low > -loss
    assert passed / 600 < 0.08
    assert passed  # or the bound would be so wide that it is of no use
