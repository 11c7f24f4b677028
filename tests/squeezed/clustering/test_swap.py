"""Swaps: a cluster too many in one place becomes one too few in another."""

import torch

from squeezed.clustering.partition import label_counts
from squeezed.clustering.problems import uniform_problems
from squeezed.clustering.swap import swap
from tests.squeezed.clustering.helpers import groups, inertia, random_keys


def worth(keys, labels, clusters):
    return inertia(keys, labels.argsort(dim=1, stable=True), label_counts(labels, clusters))


def test_one_swap_hand_worked():
    # Groups 0 and 1 share a cluster, group 2 has two.
    keys, truth = groups(3, each=4)
    labels = torch.tensor([[0] * 8 + [1, 2, 1, 2]])
    swapped, number = swap(uniform_problems(keys, 3, None), labels)
    assert number.tolist() == [1]
    by_group = [set(swapped[0, truth == group].tolist()) for group in range(3)]
    assert all(len(found) == 1 for found in by_group)
    assert set.union(*by_group) == {0, 1, 2}


def test_a_good_partition_is_left_alone():
    keys, truth = groups(4, each=5)
    swapped, number = swap(uniform_problems(keys, 4, None), truth[None])
    assert number.tolist() == [0]
    assert torch.equal(swapped, truth[None])


def test_swaps_fit_better_and_empty_no_cluster():
    keys = random_keys(2, 200, 6)
    labels = torch.randint(0, 20, (2, 200), generator=torch.Generator().manual_seed(1))
    swapped, number = swap(uniform_problems(keys, 20, None), labels)
    assert bool((number > 0).all())
    assert bool((label_counts(swapped, 20) > 0).all())
    assert worth(keys, swapped, 20) < worth(keys, labels, 20)


def test_one_cluster_has_nothing_to_swap_with():
    labels = torch.zeros(1, 10, dtype=torch.int64)
    swapped, number = swap(uniform_problems(random_keys(1, 10), 1, None), labels)
    assert number.tolist() == [0]
    assert torch.equal(swapped, labels)
