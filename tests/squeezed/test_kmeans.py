"""Clustering: what a partition must be, quality on separable data, repeatability, degenerate input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from squeezed.kmeans import segment_means, spherical_kmeans


def keys(heads=2, count=200, size=16, seed=0):
    return torch.randn(heads, count, size, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 120), st.data())
def test_every_key_is_in_exactly_one_cluster(heads, count, data):
    clusters = data.draw(st.integers(1, count))
    result = spherical_kmeans(keys(heads, count), clusters, seed=count)
    assert result.counts.shape == (heads, clusters)
    assert torch.equal(result.order.sort(dim=1).values, torch.arange(count).expand(heads, -1))
    assert bool((result.counts.sum(1) == count).all())


def test_finds_directions_that_are_far_apart():
    centres = functional.normalize(keys(1, 8, 32, seed=3)[0], dim=-1)
    truth = torch.arange(8).repeat_interleave(30)
    lengths = torch.rand(240, 1, generator=torch.Generator().manual_seed(4)) * 20 + 0.1
    points = (centres[truth] + 0.02 * keys(1, 240, 32, seed=5)[0]) * lengths
    result = spherical_kmeans(points[None], 8, seed=1)
    assert result.counts.tolist() == [[30] * 8]
    ordered = truth[result.order[0]].view(8, 30)
    assert bool((ordered == ordered[:, :1]).all())


def test_same_seed_same_clusters_and_no_iteration_makes_it_worse():
    points = keys(3, 500)

    def fit(result):
        unit = functional.normalize(points, dim=-1).gather(
            1, result.order.unsqueeze(-1).expand(-1, -1, 16)
        )
        centroids = functional.normalize(segment_means(unit, result.counts), dim=-1)
        spread = [c.repeat_interleave(n, 0) for c, n in zip(centroids, result.counts, strict=True)]
        return (unit * torch.stack(spread)).sum().item()

    first, second = (spherical_kmeans(points, 25, seed=7) for _ in range(2))
    assert torch.equal(first.order, second.order)
    assert torch.equal(first.counts, second.counts)
    fits = [fit(spherical_kmeans(points, 25, seed=7, max_iterations=n)) for n in (1, 3, 20)]
    assert fits[0] < fits[1] <= fits[2] * 1.0001


def test_blocks_of_keys_do_not_change_the_result(monkeypatch):
    points = keys(2, 300)
    whole = spherical_kmeans(points, 20)
    monkeypatch.setattr("squeezed.kmeans.ASSIGN_BLOCK", 1000)
    assert torch.equal(whole.order, spherical_kmeans(points, 20).order)


def test_length_of_a_key_does_not_matter():
    points = keys(1, 100)
    scaled = points * torch.linspace(0.1, 50, 100)[None, :, None]
    a, b = spherical_kmeans(points, 10), spherical_kmeans(scaled, 10)
    assert torch.equal(a.order, b.order)


@pytest.mark.parametrize("points", [torch.ones(1, 50, 4), torch.zeros(2, 50, 4)])
def test_identical_and_zero_keys_are_clustered_without_nan(points):
    result = spherical_kmeans(points, 7)
    assert bool((result.counts.sum(1) == 50).all())


def test_segment_means_hand_worked():
    values = torch.tensor([[[1.0], [3.0], [10.0]]])
    means = segment_means(values, torch.tensor([[2, 0, 1]]))
    assert means.tolist() == [[[2.0], [0.0], [10.0]]]


@pytest.mark.parametrize("clusters", [0, 11])
def test_impossible_number_of_clusters(clusters):
    with pytest.raises(ValueError, match=f"{clusters} clusters of 10 keys"):
        spherical_kmeans(keys(1, 10), clusters)


def test_keys_that_are_not_finite_are_refused():
    points = keys(1, 10)
    points[0, 3, 2] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity"):
        spherical_kmeans(points, 2)
