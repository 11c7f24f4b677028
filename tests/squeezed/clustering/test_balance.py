"""The cap on cluster sizes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squeezed.clustering import spherical_kmeans
from tests.squeezed.clustering.helpers import assert_partition, groups, inertia, random_keys


def lopsided(share=0.6, count=400, size=16):
    """Most keys within a narrow cone, as users saw it: one cluster takes them all."""
    keys = random_keys(2, count, size)
    narrow = int(share * count)
    keys[:, :narrow] = keys[:, :1] + 0.01 * keys[:, :narrow]
    return keys


def test_a_giant_is_split_and_the_number_of_clusters_stays():
    keys = lopsided()
    free = spherical_kmeans(keys, 40)
    assert free.counts.max() > 4 * 400 / 40
    capped = spherical_kmeans(keys, 40, balance=4.0)
    assert_partition(capped.order, capped.counts, keys, 40)
    assert capped.counts.max() <= 40
    # It costs little: the giant's keys are alike, and few clusters are given up for it.
    assert inertia(keys, capped.order, capped.counts) < 1.25 * inertia(
        keys, free.order, free.counts
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 150), st.floats(1, 6), st.data())
def test_no_cluster_is_over_the_cap_or_empty(count, balance, data):
    clusters = data.draw(st.integers(1, count))
    same = data.draw(st.integers(0, count))
    keys = random_keys(2, count, 4, seed=count)
    keys[:, :same] = keys[:, :1] + data.draw(st.sampled_from([0.0, 0.01])) * keys[:, :same]
    result = spherical_kmeans(keys, clusters, balance=balance)
    assert_partition(result.order, result.counts, keys, clusters)
    assert result.counts.max() <= math.ceil(balance * count / clusters)


def test_a_cap_that_nothing_reaches_changes_nothing():
    keys, _ = groups(10, each=20)
    free, capped = spherical_kmeans(keys, 10), spherical_kmeans(keys, 10, balance=2.0)
    assert torch.equal(free.order, capped.order)


def test_one_head_over_the_cap_leaves_the_others_as_they_are():
    keys, _ = groups(10, each=20)
    keys = torch.cat([keys, lopsided(count=200, size=32)[:1]])
    free, capped = spherical_kmeans(keys, 10), spherical_kmeans(keys, 10, balance=2.0)
    assert torch.equal(free.order[0], capped.order[0])
    assert free.counts[1].max() > 40 >= capped.counts[1].max()


def test_the_pieces_of_a_giant_follow_its_longest_direction():
    # One cluster's worth of keys on an arc, and a cap of a quarter: the pieces are four arcs.
    angle = torch.linspace(0, 0.3, 40)
    arc = torch.stack([angle.cos(), angle.sin(), torch.zeros(40)], dim=-1)
    single = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    result = spherical_kmeans(torch.cat([arc, single])[None], 8, balance=2.0)
    for part in result.order[0].split(result.counts[0].tolist()):
        on_arc = part[part < 40].sort().values
        assert torch.equal(on_arc.diff(), torch.ones(max(0, len(on_arc) - 1), dtype=torch.int64))


@pytest.mark.parametrize("balance", [0.9, 0.0, -4.0, float("nan")])
def test_an_impossible_cap_is_refused(balance):
    with pytest.raises(ValueError, match=r"balance=.* at least 1"):
        spherical_kmeans(random_keys(1, 10), 2, balance=balance)
