"""Levels: nesting, the two strategies, the sharing out of clusters."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from squeezed.clustering import STRATEGIES, cluster_levels, spherical_kmeans
from squeezed.clustering.topdown import FILL, batches, share_out
from tests.squeezed.clustering.helpers import inertia, random_keys


def key_counts(hierarchy, level):
    """Keys in each cluster of a level, ``[H, C]``."""
    offsets = hierarchy.offsets[level].long()
    for finer in hierarchy.offsets[level + 1 :]:
        offsets = finer.long().gather(1, offsets)
    return offsets.diff(dim=1)


def level_inertia(keys, hierarchy, level):
    return inertia(keys, hierarchy.order, key_counts(hierarchy, level))


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 200), same=st.integers(0, 100), balance=st.sampled_from([None, 4.0]))
def test_every_level_is_a_partition_into_ranges_of_the_next(strategy, count, same, balance):
    keys = random_keys(2, count, 8, seed=count)
    keys[:, :same] = keys[:, :1]
    levels = (0.02, 0.1, 0.4)
    found = cluster_levels(keys, levels, strategy=strategy, balance=balance)
    assert torch.equal(found.order.sort(dim=1).values, torch.arange(count).expand(2, -1))
    ends = [max(1, round(share * count)) for share in levels] + [count]
    for offsets, clusters, end in zip(found.offsets, ends[:-1], ends[1:], strict=True):
        assert offsets.dtype == torch.int32
        assert offsets.shape == (2, clusters + 1)
        assert offsets[:, 0].tolist() == [0, 0]
        assert offsets[:, -1].tolist() == [end, end]
        assert bool((offsets.diff(dim=1) > 0).all())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_groups_of_groups_are_found(strategy):
    # 4 far directions with 5 near ones around each and 6 keys on each of those.
    far = functional.normalize(random_keys(1, 4, 32)[0], dim=-1).repeat_interleave(5, 0)
    near = functional.normalize(far + 0.05 * random_keys(1, 20, 32, seed=1)[0], dim=-1)
    keys = (near.repeat_interleave(6, 0) + 0.002 * random_keys(1, 120, 32, seed=2)[0])[None]
    found = cluster_levels(keys, (4 / 120, 20 / 120), strategy=strategy)
    assert found.offsets[0].tolist() == [[0, 5, 10, 15, 20]]
    assert found.offsets[1].tolist() == [list(range(0, 121, 6))]
    order = found.order[0].view(4, 5, 6)
    assert bool((order // 30 == order[:, :1, :1] // 30).all())
    assert bool((order // 6 == order[:, :, :1] // 6).all())


def test_bottom_up_keeps_the_flat_clusters():
    keys = random_keys(2, 400)
    flat = spherical_kmeans(keys, 40, seed=3)
    found = cluster_levels(keys, (0.02, 0.1), seed=3)
    for head in range(2):
        mine = found.order[head].split(found.offsets[1][head].diff().tolist())
        theirs = flat.order[head].split(flat.counts[head].tolist())
        assert {tuple(p.tolist()) for p in mine} == {tuple(p.tolist()) for p in theirs}


def test_coarse_clusters_weigh_the_finer_ones_by_their_size():
    # Directions at 0, 40 and 100 degrees, of 100 keys, 100 keys and one. Of three points that count alike the
    # first two would be joined; joining the last two costs the one key only.
    angles = (
        torch.tensor([0.0, 40.0, 100.0]).deg2rad().repeat_interleave(torch.tensor([100, 100, 1]))
    )
    keys = torch.stack([angles.cos(), angles.sin()], dim=1)[None]
    for seed in range(6):
        found = cluster_levels(keys, (2 / 201, 3 / 201), seed)
        assert sorted(key_counts(found, 0).flatten().tolist()) == [100, 101]


def test_top_down_fits_nearly_as_well_as_bottom_up():
    # Keys without any groups are the worst case: every coarse cluster cuts through finer ones.
    keys = random_keys(1, 2000, 8)
    levels = (0.01, 0.05)
    up, down = (cluster_levels(keys, levels, strategy=way) for way in STRATEGIES)
    assert level_inertia(keys, down, 1) < 1.15 * level_inertia(keys, up, 1)
    assert level_inertia(keys, down, 0) < 1.02 * level_inertia(keys, up, 0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_same_seed_same_bits(strategy):
    keys = random_keys(2, 600)
    first, second, other = (
        cluster_levels(keys, (0.02, 0.1), seed, strategy=strategy) for seed in (5, 5, 6)
    )
    assert torch.equal(first.order, second.order)
    assert all(torch.equal(a, b) for a, b in zip(first.offsets, second.offsets, strict=True))
    assert not torch.equal(first.order, other.order)


def test_sizes_of_batches_do_not_change_top_down(monkeypatch):
    keys = random_keys(2, 600)
    whole = cluster_levels(keys, (0.02, 0.1), strategy="top-down")
    monkeypatch.setattr("squeezed.clustering.topdown.GROUP_ELEMENTS", 1)
    alone = cluster_levels(keys, (0.02, 0.1), strategy="top-down")
    assert torch.equal(whole.order, alone.order)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_cap_holds_at_every_level(strategy):
    keys = random_keys(2, 1000)
    keys[:, :600] = keys[:, :1] + 0.01 * keys[:, :600]
    levels = (0.01, 0.05)
    found = cluster_levels(keys, levels, strategy=strategy, balance=4.0)
    free = cluster_levels(keys, levels, strategy=strategy)
    assert key_counts(free, 1).max() > 80
    assert key_counts(found, 1).max() <= 80
    if strategy == "bottom-up":
        assert found.offsets[0].diff(dim=1).max() <= 4 * 50 / 10
    else:
        assert key_counts(found, 0).max() <= 400


def test_sharing_out_hand_worked():
    # Quotas of 10 over 100: 5.5, 3.1, 1.4 -> 5, 3, 1, and the last one to the largest remainder.
    assert share_out(torch.tensor([[55, 31, 14]]), 10).tolist() == [[6, 3, 1]]
    # Parts below one cluster get one each, at the cost of the large: 7 left over 97 for the others.
    assert share_out(torch.tensor([[90, 1, 1, 1, 7]]), 10).tolist() == [[6, 1, 1, 1, 1]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.data())
def test_sharing_out_is_exact_and_in_proportion(sizes, data):
    clusters = data.draw(st.integers(len(sizes), sum(sizes)))
    shares = share_out(torch.tensor([sizes]), clusters)[0].tolist()
    assert sum(shares) == clusters
    assert all(1 <= share <= size for share, size in zip(shares, sizes, strict=True))
    exact = [size * clusters / sum(sizes) for size in sizes]
    assert all(
        share <= max(1, math.ceil(quota)) for share, quota in zip(shares, exact, strict=True)
    )


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=60), st.integers(1, 128))
def test_batches_cover_all_problems_with_little_padding(sizes, width):
    falling = torch.tensor(sorted(sizes, reverse=True))
    ranges = batches(falling, width)
    assert [i for start, end in ranges for i in range(start, end)] == list(range(len(sizes)))
    assert all(falling[end - 1] >= FILL * falling[start] for start, end in ranges)


@pytest.mark.parametrize("levels", [(), (0.0,), (0.05, 0.01), (0.05, 0.05), (0.1, 1.5)])
def test_levels_that_make_no_sense_are_refused(levels):
    with pytest.raises(ValueError, match="rising shares"):
        cluster_levels(random_keys(1, 50), levels)


def test_an_unknown_strategy_is_refused_by_name():
    with pytest.raises(ValueError, match="'sideways'; expected one of bottom-up, top-down"):
        cluster_levels(random_keys(1, 50), (0.1,), strategy="sideways")


def test_keys_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="NaN or infinity"):
        cluster_levels(torch.full((1, 50, 4), float("nan")), (0.1,))
