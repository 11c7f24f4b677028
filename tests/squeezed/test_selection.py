"""Selection rules: hand-worked cases and what must hold for any scores."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squeezed.selection import above_threshold, top_share


def test_top_share_hand_worked():
    scores = torch.tensor([[[0.1, 0.9, 0.5, 0.7]]]).log()
    counts = torch.tensor([[10, 4, 3, 3]])
    # 20 keys; best first: 4, 3, 3, 10. Half of them is 10: the three best exactly.
    assert top_share(scores, counts, 0.5).tolist() == [[[False, True, True, True]]]
    # A quarter is 5: 4 is closer than 7.
    assert top_share(scores, counts, 0.75).tolist() == [[[False, True, False, False]]]
    # 30 % is 6: 7 is closer than 4.
    assert top_share(scores, counts, 0.7).tolist() == [[[False, True, False, True]]]


def test_top_share_keeps_the_best_group_even_if_it_is_too_large():
    counts = torch.tensor([[100, 1]])
    assert top_share(torch.tensor([[[0.0, -1.0]]]), counts, 0.99).tolist() == [[[True, False]]]


def test_ties_go_to_the_first_group():
    counts = torch.ones(1, 4, dtype=torch.int32)
    assert top_share(torch.zeros(1, 1, 4), counts, 0.5).tolist() == [[[True, True, False, False]]]


def test_threshold_is_exclusive_and_drops_empty_groups():
    scores = torch.tensor([[[-1.0, 0.0, 1.0, -torch.inf]]])
    assert above_threshold(scores, 0.0).tolist() == [[[False, False, True, False]]]
    assert above_threshold(scores, -torch.inf).tolist() == [[[True, True, True, False]]]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 60),
    st.floats(0, 0.99),
    st.floats(0, 0.99),
)
def test_higher_sparsity_keeps_a_subset(seed, clusters, one, other):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 3, clusters, generator=generator)
    counts = torch.randint(0, 30, (3, clusters), generator=generator)
    scores = scores.masked_fill(counts == 0, -torch.inf)
    low, high = sorted((one, other))
    loose, tight = top_share(scores, counts, low), top_share(scores, counts, high)
    assert bool((loose | ~tight).all())
    assert not bool((tight & (counts == 0)).any())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 0.99))
def test_kept_keys_are_within_half_a_group_of_the_target(seed, sparsity):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(1, 2, 40, generator=generator)
    counts = torch.randint(1, 20, (2, 40), generator=generator)
    kept = (top_share(scores, counts, sparsity) * counts).sum(-1)
    target = (1 - sparsity) * counts.sum(-1)
    at_least_one = counts.max()
    assert bool(
        ((kept - target).abs() <= torch.maximum(at_least_one / 2, kept.new_tensor(0))).all()
    ) or bool((kept <= at_least_one).all())
