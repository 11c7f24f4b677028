"""Seeding: the rounds, and whether the draws follow their distribution."""

import pytest
import torch

from squeezed.clustering.seeding import draw_uniform, round_sizes, systematic_sample


@pytest.mark.parametrize("clusters", [1, 19, 20, 21, 500, 6554])
def test_rounds_add_up_and_grow_by_a_half(clusters):
    sizes = round_sizes(clusters)
    assert sum(sizes) == clusters
    done = 0
    for size in sizes:
        assert 1 <= size <= max(1, done // 2)
        done += size
    assert len(sizes) < 30


def test_sample_hand_worked():
    mass = torch.tensor([[0.1, 0.0, 0.4, 0.5], [1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    start = torch.tensor([0.3, 0.9], dtype=torch.float64)
    # Places (k + start) / 2 of the total: 0.15 and 0.65 of 1; 0.9 and 1.9 of 2.
    two = torch.tensor([2, 2])
    assert systematic_sample(mass, two, 2, start).tolist() == [[2, 3], [0, 1]]


def test_a_problem_that_wants_fewer_draws_as_it_would_alone():
    mass = torch.tensor([[0.1, 0.0, 0.4, 0.5], [1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    start = torch.tensor([0.3, 0.9], dtype=torch.float64)
    together = systematic_sample(mass, torch.tensor([3, 2]), 3, start)
    assert together[1, :2].tolist() == [0, 1]
    alone = systematic_sample(mass[:1], torch.tensor([3]), 3, start[:1])
    assert together[0].tolist() == alone[0].tolist()


def test_draws_are_in_proportion_to_the_mass_and_never_of_mass_zero():
    mass = torch.tensor([1.0, 0.0, 3.0, 2.0, 0.0, 4.0], dtype=torch.float64) / 4
    starts = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    drawn = systematic_sample(mass.expand(1000, -1), torch.full((1000,), 2), 2, starts)
    share = torch.bincount(drawn.flatten(), minlength=6) / 2000
    torch.testing.assert_close(share.double(), mass / mass.sum(), atol=2e-3, rtol=0)
    assert share[1] == share[4] == 0


def test_no_mass_left_still_gives_rows():
    nothing = torch.zeros(1, 3, dtype=torch.float64)
    drawn = systematic_sample(nothing, torch.tensor([2]), 2, torch.zeros(1).double())
    assert bool(((drawn >= 0) & (drawn < 3)).all())


def test_the_numbers_of_a_problem_do_not_depend_on_how_many_follow():
    assert torch.equal(draw_uniform(5, 40, seed=3)[:2], draw_uniform(2, 40, seed=3))
    assert not torch.equal(draw_uniform(2, 40, seed=3), draw_uniform(2, 40, seed=4))
