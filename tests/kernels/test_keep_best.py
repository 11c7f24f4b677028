"""The best groups of each head: every backend keeps what sorting all of them would keep."""

import math
import random

import pytest
import torch
from squeezed_kernels import keep_best, reference

KINDS = ("normal", "ties", "equal", "some out", "some first", "far apart", "all out")


def problem(seed):
    """Scores, counts and rows of an odd shape; ``seed`` decides all."""
    made, draw = torch.Generator().manual_seed(seed), random.Random(seed)
    batch, heads, blocks = draw.choice([1, 3]), draw.choice([1, 2]), draw.choice([1, 2])
    groups = draw.choice([1, 2, 7, 25, 63, 195, 1111])
    scores = torch.randn(batch, heads, blocks, groups, generator=made) * draw.choice([0.1, 3, 50])
    marked = torch.rand(scores.shape, generator=made)
    kind = KINDS[seed % len(KINDS)]
    scores = {
        "normal": scores,
        "ties": scores.round(),
        "equal": torch.full_like(scores, -0.0),
        "some out": scores.masked_fill(marked < 0.6, -math.inf),
        "some first": scores.masked_fill(marked < 0.1, math.inf),
        "far apart": scores.sign() * scores.abs().exp().exp().clamp(max=3e38),
        "all out": torch.full_like(scores, -math.inf),
    }[kind]
    counts = torch.randint(1, draw.choice([2, 40]), (heads, groups), generator=made)
    shape = draw.choice([(), (heads, 1), (batch, heads, blocks)])
    rows = torch.rand(shape, generator=made) * counts.sum() / heads
    return scores, counts.int(), rows * draw.choice([0.01, 0.1, 0.5, 1.2])


@pytest.mark.parametrize("seed", range(70))
def test_the_compiled_choice_is_that_of_the_reference(seed):
    pytest.importorskip("numba")
    scores, counts, rows = problem(seed)
    for least in (0.0, 5.0, 0.3 * scores.shape[-1]):
        want = keep_best(scores, counts, rows, least, backend="reference")
        assert torch.equal(keep_best(scores, counts, rows, least, backend="cpu"), want)


def test_of_equal_scores_the_first_comes_first():
    ones = torch.ones(1, 100, dtype=torch.int32)
    keep = keep_best(torch.zeros(1, 1, 1, 100), ones, torch.tensor(41.0))
    assert keep[0, 0, 0].nonzero().flatten().tolist() == list(range(41))


def test_float64_is_kept_by_the_reference_whatever_is_asked():
    scores = torch.rand(1, 1, 1, 9).double()
    ones = torch.ones(1, 9, dtype=torch.int32)
    want = reference.keep_best(scores, ones, torch.tensor(3.0))
    assert torch.equal(keep_best(scores, ones, torch.tensor(3.0)), want)


def test_counts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"counts is \(1, 3\); expected \(1, 4\)"):
        keep_best(torch.zeros(1, 1, 1, 4), torch.ones(1, 3), torch.tensor(1.0))
