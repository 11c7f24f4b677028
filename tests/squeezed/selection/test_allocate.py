"""How layers and heads share a size: numbers worked by hand from the papers' and the authors' rules."""

import pytest
import torch

from squeezed.selection import allocate


def test_adaptive_gives_a_head_what_it_has_of_the_best():
    # Two heads, four keys each on average. Of the best eight, six are of head 0: with a floor of a half the
    # authors' counts are 5 and 3. (Half certain and the rest by rank would be 6 and 2.)
    scores = torch.zeros(2, 20)
    scores[0, :6], scores[1, :2] = 1.0, 0.9
    assert allocate.adaptive(scores, 4, floor=0.5).tolist() == [5, 3]
    assert allocate.adaptive(scores, 4, floor=0.0).tolist() == [6, 2]
    assert allocate.adaptive(scores, 4, floor=1.0).tolist() == [4, 4]


def test_adaptive_at_full_size_is_everything():
    assert allocate.adaptive(torch.rand(3, 5), 5, 0.2).tolist() == [5, 5, 5]


def test_pyramid_steps_are_the_authors():
    # 84 in all, 4 more than asked: the step is rounded down. kvpress has 39, 26, 14, 1 for the same.
    assert allocate.pyramid(20.4, 4, 1000, beta=20) == [39, 27, 15, 3]
    assert allocate.pyramid(20, 1, 1000, beta=20) == [20]


def test_the_first_layer_of_a_pyramid_gets_no_more_than_there_is():
    sizes = allocate.pyramid(60, 3, 100, beta=20)
    assert sizes == [100, 60, 20]


def test_cake_shares_by_entropy_and_variance():
    assert allocate.cake([2.0, 1.0], [1.0, 1.0], (1.0, 1.0)) == pytest.approx([2 / 3, 1 / 3])
    assert allocate.cake([4.0, 1.0], [1.0, 1.0], (2.0, 1.0)) == pytest.approx([2 / 3, 1 / 3])


def test_what_a_layer_cannot_hold_goes_to_the_others():
    assert allocate.shares_to_rows([0.8, 0.1, 0.1], 20, 10) == [10, 5, 5]
    assert allocate.shares_to_rows([2 / 3, 1 / 3], 30, 100) == [20, 10]


def test_one_threshold_for_all_layers_and_heads():
    scores = [torch.tensor([[0.9, 0.1, 0.8], [0.2, 0.1, 0.0]]), torch.tensor([[0.7, 0.6, 0.5]])]
    counts = allocate.together(scores, 4 / 3)
    assert [each.tolist() for each in counts] == [[2, 0], [2]]
