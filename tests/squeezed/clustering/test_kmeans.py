"""Flat clustering: what a partition must be, quality, repeatability, degenerate input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squeezed.clustering import lloyd, segment_means, spherical_kmeans
from tests.squeezed.clustering.helpers import assert_partition, groups, inertia, random_keys


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 120), st.data())
def test_every_key_is_in_one_cluster_and_none_is_empty(heads, count, data):
    clusters = data.draw(st.integers(1, count))
    same = data.draw(st.integers(0, count))
    keys = random_keys(heads, count, 8, seed=count)
    keys[:, :same] = keys[:, :1]
    result = spherical_kmeans(keys, clusters, seed=count)
    assert_partition(result.order, result.counts, keys, clusters)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [8, 150])
def test_finds_groups_that_are_far_apart_whatever_the_seed(count, seed):
    # Lloyd's algorithm alone gets stuck here: with 150 groups every seeding misses some.
    keys, truth = groups(count, each=12)
    lengths = torch.rand(count * 12, 1, generator=torch.Generator().manual_seed(4)) * 20 + 0.1
    result = spherical_kmeans(keys * lengths, count, seed=seed)
    assert result.counts.tolist() == [[12] * count]
    found = truth[result.order[0]].view(count, 12)
    assert bool((found == found[:, :1]).all())


def test_two_clusters_hand_worked():
    keys = torch.tensor([[[1.0, 0.1], [0.1, 3.0], [5.0, 0.0], [0.0, 0.2], [2.0, 0.3]]])
    result = spherical_kmeans(keys, 2)
    parts = {tuple(p.tolist()) for p in result.order[0].split(result.counts[0].tolist())}
    assert parts == {(0, 2, 4), (1, 3)}


def test_same_seed_same_bits_and_another_seed_another_partition():
    keys = random_keys(3, 500)
    first, second, other = (spherical_kmeans(keys, 25, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(first.order, second.order)
    assert torch.equal(first.counts, second.counts)
    assert not torch.equal(first.order, other.order)


def test_more_iterations_fit_better():
    keys = random_keys(3, 500)
    results = [spherical_kmeans(keys, 25, seed=7, max_iterations=n) for n in (1, 3, 20)]
    first, third, last = (inertia(keys, r.order, r.counts) for r in results)
    assert last < third < first


def test_a_loose_tolerance_stops_early():
    keys = random_keys(1, 500)
    stopped = spherical_kmeans(keys, 25, tolerance=2.0)
    assert inertia(keys, stopped.order, stopped.counts) > 1.001 * inertia(
        keys, *_fields(spherical_kmeans(keys, 25))
    )


def test_without_tolerance_it_stops_when_nothing_moves(monkeypatch):
    steps = []
    real = lloyd.assign
    monkeypatch.setattr(lloyd, "assign", lambda *given: steps.append(1) or real(*given))
    keys, _ = groups(5, each=10)
    spherical_kmeans(keys, 5, tolerance=0.0, max_iterations=100)
    assert len(steps) < 10


def _fields(result):
    return result.order, result.counts


def test_blocks_of_keys_and_groups_of_heads_do_not_change_the_result(monkeypatch):
    keys = random_keys(3, 300)
    whole = spherical_kmeans(keys, 20, balance=1.5)
    monkeypatch.setattr("squeezed.clustering.assign.ASSIGN_BLOCK", 1000)
    monkeypatch.setattr("squeezed.clustering.swap.ASSIGN_BLOCK", 1000)
    monkeypatch.setattr("squeezed.clustering.kmeans.GROUP_ELEMENTS", 300 * 16)
    parts = spherical_kmeans(keys, 20, balance=1.5)
    assert torch.equal(whole.order, parts.order)


def test_a_head_is_clustered_as_if_alone():
    keys = random_keys(3, 300)
    keys[1] = keys[1, :1]  # converges at once, while the others go on
    together, alone = spherical_kmeans(keys, 20), spherical_kmeans(keys[:1], 20)
    assert torch.equal(together.order[:1], alone.order)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_the_length_of_a_key_does_not_matter(factor):
    keys = random_keys(1, 100)
    scaled = keys * torch.logspace(0, torch.tensor(factor).log10().item(), 100)[None, :, None]
    assert torch.equal(spherical_kmeans(keys, 10).order, spherical_kmeans(scaled, 10).order)


def test_a_weight_of_two_is_worth_two_keys():
    # One cluster of three directions: its centroid decides which key the second cluster takes.
    keys = torch.tensor([[[1.0, 0.0], [0.96, 0.28], [0.0, 1.0], [0.28, 0.96], [0.6, 0.8]]])
    weights = torch.tensor([[100.0, 1.0, 1.0, 1.0, 100.0]])
    heavy = spherical_kmeans(keys, 2, weights=weights)
    repeated = keys.repeat_interleave(weights[0].long(), dim=1)
    plain = spherical_kmeans(repeated, 2)
    of_key = torch.arange(5).repeat_interleave(weights[0].long())
    parts = lambda order, counts, name: {  # noqa: E731
        frozenset(name[p].tolist()) for p in order[0].split(counts[0].tolist())
    }
    assert parts(heavy.order, heavy.counts, torch.arange(5)) == parts(
        plain.order, plain.counts, of_key
    )
    light = spherical_kmeans(keys, 2)
    assert parts(light.order, light.counts, torch.arange(5)) == {
        frozenset({0, 1}),
        frozenset({2, 3, 4}),
    }


@pytest.mark.parametrize("keys", [torch.ones(1, 50, 4), torch.zeros(2, 50, 4)])
@pytest.mark.parametrize("balance", [None, 1.0])
def test_identical_and_zero_keys(keys, balance):
    result = spherical_kmeans(keys, 7, balance=balance)
    assert_partition(result.order, result.counts, keys, 7)
    if balance:
        assert result.counts.max() == 8


def test_as_many_clusters_as_keys_are_singletons():
    result = spherical_kmeans(random_keys(2, 64), 64)
    assert bool((result.counts == 1).all())


def test_distinct_keys_come_apart_before_equal_ones():
    # 5 distinct keys, each many times, and 5 clusters.
    keys = random_keys(1, 5)[:, torch.arange(50) % 5]
    result = spherical_kmeans(keys, 5)
    assert inertia(keys, result.order, result.counts) < 1e-9


def test_half_precision_keys_are_clustered_in_float32():
    keys = random_keys(1, 200).bfloat16()
    assert torch.equal(spherical_kmeans(keys, 20).order, spherical_kmeans(keys.float(), 20).order)


def test_segment_means_hand_worked():
    values = torch.tensor([[[1.0], [3.0], [10.0]]])
    means = segment_means(values, torch.tensor([[2, 0, 1]]))
    assert means.tolist() == [[[2.0], [0.0], [10.0]]]


@pytest.mark.parametrize("clusters", [0, 11])
def test_impossible_number_of_clusters(clusters):
    with pytest.raises(ValueError, match=f"{clusters} clusters of 10 keys"):
        spherical_kmeans(random_keys(1, 10), clusters)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_keys_that_are_not_finite_are_refused(bad):
    keys = random_keys(1, 10)
    keys[0, 3, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        spherical_kmeans(keys, 2)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.full((1, 10), -1.0), "negative"),
        (torch.full((1, 10), float("nan")), "NaN"),
        (torch.ones(1, 9), r"shape \(1, 9\); expected \(1, 10\)"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        spherical_kmeans(random_keys(1, 10), 2, weights=weights)


def test_no_iterations_and_no_keys_are_refused():
    with pytest.raises(ValueError, match="max_iterations=0"):
        spherical_kmeans(random_keys(1, 10), 2, max_iterations=0)
    with pytest.raises(ValueError, match=r"shape \(1, 0, 4\)"):
        spherical_kmeans(torch.empty(1, 0, 4), 1)
