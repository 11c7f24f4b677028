"""Selection rules: hand-worked cases and what must hold for any scores."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squeezed.selection.rules import above_threshold, rows_in_mass, top_mass, top_rows


def one(*values) -> torch.Tensor:
    """Scores of one member, head and block."""
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, -1)


def kept(keep: torch.Tensor) -> list[int]:
    return keep[0, 0, 0].nonzero().flatten().tolist()


def rows(count) -> torch.Tensor:
    return torch.tensor(float(count))


def test_top_rows_hand_worked():
    scores, counts = one(0.1, 0.9, 0.5, 0.7).log(), torch.tensor([[10, 4, 3, 3]])
    # Best first the sizes are 4, 3, 3, 10.
    assert kept(top_rows(scores, counts, rows(10))) == [1, 2, 3]
    assert kept(top_rows(scores, counts, rows(5))) == [1]  # 4 is closer than 7
    assert kept(top_rows(scores, counts, rows(6))) == [1, 3]  # 7 is closer than 4


def test_top_rows_keeps_the_best_group_even_if_it_is_too_large():
    counts = torch.tensor([[100, 1]])
    assert kept(top_rows(one(0.0, -1.0), counts, rows(1))) == [0]


def test_top_rows_reaches_the_least_number():
    counts = torch.tensor([[100, 100, 100]])
    assert kept(top_rows(one(0.0, -1.0, -2.0), counts, rows(130))) == [0]
    assert kept(top_rows(one(0.0, -1.0, -2.0), counts, rows(130), least=110)) == [0, 1]


def test_ties_go_to_the_first_group():
    counts = torch.ones(1, 4, dtype=torch.int32)
    assert kept(top_rows(torch.zeros(1, 1, 1, 4), counts, rows(2))) == [0, 1]


def test_each_member_head_and_block_has_a_number_of_its_own():
    counts = torch.ones(2, 6, dtype=torch.int32)
    wanted = torch.arange(1.0, 7.0).view(1, 2, 3)
    keep = top_rows(torch.rand(1, 2, 3, 6), counts, wanted)
    assert torch.equal(keep.sum(-1), wanted.long())


def test_threshold_is_exclusive_and_drops_empty_groups():
    scores = one(-1.0, 0.0, 1.0, -torch.inf)
    assert kept(above_threshold(scores, torch.tensor([0.0]))) == [2]
    assert kept(above_threshold(scores, torch.tensor([-torch.inf]))) == [0, 1, 2]


def test_threshold_may_differ_by_head():
    scores = one(-1.0, 1.0).expand(1, 2, 1, 2)
    keep = above_threshold(scores, torch.tensor([0.0, -2.0]))
    assert keep[0, :, 0].tolist() == [[False, True], [True, True]]


def test_top_mass_hand_worked():
    # Masses: 2 x 0.1 = 0.2, 1 x 0.5 = 0.5, 3 x 0.1 = 0.3; ties go to the first group.
    scores, counts = one(0.1, 0.5, 0.1).log(), torch.tensor([[2, 1, 3]])
    assert kept(top_mass(scores, counts, 0.4)) == [1]
    assert kept(top_mass(scores, counts, 0.6)) == [0, 1]
    assert kept(top_mass(scores, counts, 0.8)) == [0, 1, 2]
    assert kept(top_mass(scores, counts, 0.0)) == [1]
    assert kept(top_mass(scores, counts, 1.0)) == [0, 1, 2]


def test_mass_one_keeps_groups_whose_share_underflows():
    scores = one(0.0, -1e4, -torch.inf)
    counts = torch.ones(1, 3, dtype=torch.int32)
    assert kept(top_mass(scores, counts, 1.0)) == [0, 1]
    assert kept(top_mass(scores, counts, 0.999)) == [0]


def random_case(seed: int, clusters: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores ``[2, 3, 2, C]`` of groups, of which some are empty."""
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(2, 3, 2, clusters, generator=generator)
    counts = torch.randint(0, 30, (3, clusters), generator=generator)
    return scores.masked_fill((counts == 0)[:, None], -torch.inf), counts


SEEDS, CLUSTERS, SHARES = st.integers(0, 10_000), st.integers(1, 60), st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(SEEDS, CLUSTERS, SHARES, SHARES, st.sampled_from(["topk", "topp", "threshold"]))
def test_asking_for_more_keeps_a_superset(seed, clusters, one, other, rule):
    scores, counts = random_case(seed, clusters)

    def keep(share: float) -> torch.Tensor:
        if rule == "topk":
            return top_rows(scores, counts, share * counts.sum(-1)[:, None])
        if rule == "topp":
            return top_mass(scores, counts, share)
        return above_threshold(scores, torch.tensor([6 - 12 * share]))

    low, high = sorted((one, other))
    less, more = keep(low), keep(high)
    assert bool((more | ~less).all())
    assert not bool((more & (counts == 0)[:, None]).any())


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(0.01, 0.99))
def test_top_rows_is_within_half_a_group_of_the_target(seed, share):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(1, 2, 1, 40, generator=generator)
    counts = torch.randint(1, 20, (2, 40), generator=generator)
    target = share * counts.sum(-1)[:, None]
    keep = top_rows(scores, counts, target)[:, :, 0]
    count = (keep * counts).sum(-1)
    only_best = keep.sum(-1) == 1
    assert bool((((count - target[:, 0]).abs() <= counts.max() / 2) | only_best).all())


@settings(max_examples=40, deadline=None)
@given(SEEDS, CLUSTERS, SHARES)
def test_top_mass_is_the_smallest_set_that_holds_the_mass(seed, clusters, mass):
    scores, counts = random_case(seed, clusters)
    keep = top_mass(scores, counts, mass)
    weights = scores.double().exp() * counts[:, None]
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-300)
    held = (weights * keep).sum(-1)
    some = (counts > 0).any(-1)[:, None]
    assert bool(((held >= mass - 1e-9) | ~some).all())
    # Without its worst group the set would not do, unless that is the one group that is always kept.
    worst = scores.masked_fill(~keep, torch.inf).argmin(-1, keepdim=True)
    without = held - weights.gather(-1, worst)[..., 0]
    assert bool(((without < mass + 1e-9) | (keep.sum(-1) <= 1)).all())


@settings(max_examples=30, deadline=None)
@given(SEEDS, CLUSTERS)
def test_rows_in_mass_counts_what_top_mass_keeps(seed, clusters):
    scores, counts = random_case(seed, clusters)
    masses = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0])
    found = rows_in_mass(scores, counts, masses)
    for number, mass in enumerate(masses.tolist()):
        want = (top_mass(scores, counts, mass) * counts[:, None]).sum(-1)
        assert torch.equal(found[..., number], want)


@pytest.mark.parametrize("rule", [top_rows, top_mass])
def test_nothing_to_score_keeps_nothing(rule):
    nothing = torch.full((1, 1, 1, 3), -math.inf)
    counts = torch.ones(1, 3, dtype=torch.int32)
    asked = rows(2) if rule is top_rows else 0.5
    assert not bool(rule(nothing, counts, asked).any())
