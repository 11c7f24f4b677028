"""The quantile curve, on hand-worked distributions and against NumPy."""

import math

import numpy as np
import pytest
import torch

from squeezed.calibration import GRID, weighted_quantiles


def test_weights_count_keys_not_clusters():
    # 90 keys score 1, 10 keys score 2: dropping 90 % means a threshold of 1, dropping 95 % one of 2.
    curve = weighted_quantiles(torch.tensor([2.0, 1.0]), torch.tensor([10, 90]))
    assert curve.threshold(0.5) == 1.0
    assert curve.threshold(0.89) == 1.0
    assert curve.threshold(0.95) == 2.0


def test_sparsity_zero_keeps_all():
    curve = weighted_quantiles(torch.tensor([0.3, 0.1]), torch.tensor([1, 1]))
    assert curve.threshold(0) == -math.inf


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.7, 0.9, 0.95, 0.99])
def test_share_above_the_threshold_is_what_was_asked(sparsity):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5000, generator=generator)
    weights = torch.randint(1, 40, (5000,), generator=generator)
    threshold = weighted_quantiles(scores, weights).threshold(sparsity)
    kept = weights[scores > threshold].sum() / weights.sum()
    assert abs(kept.item() - (1 - sparsity)) < 2e-3
    expanded = np.repeat(scores.numpy(), weights.numpy())
    step = 2 / GRID  # interpolation between grid points, and whole clusters
    low, high = np.quantile(expanded, [sparsity - step, sparsity + step])
    assert low <= threshold <= high


def test_curve_never_falls():
    generator = torch.Generator().manual_seed(1)
    curve = weighted_quantiles(
        torch.randn(300, generator=generator), torch.randint(0, 5, (300,), generator=generator)
    )
    thresholds = [curve.threshold(s) for s in np.linspace(0, 0.999, 777)]
    assert thresholds == sorted(thresholds)


def test_underflowed_scores_give_a_finite_curve():
    curve = weighted_quantiles(torch.tensor([-math.inf, -1.0]), torch.tensor([5, 5]))
    assert bool(curve.log_scores.isfinite().all())
    assert curve.threshold(0.9) == -1.0


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        weighted_quantiles(torch.tensor([0.0, float("nan")]), torch.tensor([1, 1]))
