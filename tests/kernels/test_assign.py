"""Nearest centroids of every backend."""

import pytest
import torch
from squeezed_kernels import assign

from tests.kernels.exact import device_of, random


@pytest.mark.parametrize("backend", ["reference", "cpu", "triton"])
@pytest.mark.parametrize(
    ("heads", "points", "clusters", "size"),
    [(1, 1, 1, 8), (3, 41, 9, 7), (2, 130, 70, 32), (1, 65, 129, 64)],
)
def test_equals_float64(backend, heads, points, clusters, size):
    where = device_of(backend)
    data, centroids = random(heads, points, size), random(heads, clusters, size, seed=1)
    products = data.double() @ centroids.double().transpose(1, 2)
    labels, similarity = assign(data.to(where), centroids.to(where), backend=backend)
    assert labels.dtype == torch.int64
    assert torch.equal(labels.cpu(), products.argmax(-1))
    torch.testing.assert_close(similarity.cpu().double(), products.amax(-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", ["reference", "cpu", "triton"])
def test_the_first_of_equal_centroids_wins(backend):
    where = device_of(backend)
    points = torch.eye(4)[None].to(where)
    centroids = torch.eye(4).repeat(40, 1)[None].to(where)  # every one forty times
    labels, _ = assign(points, centroids, backend=backend)
    assert labels[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("backend", ["reference", "triton"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_points(backend, dtype):
    where = device_of(backend)
    data, centroids = random(2, 50, 16, dtype=dtype), random(2, 20, 16, seed=1, dtype=dtype)
    products = data.double() @ centroids.double().transpose(1, 2)
    labels, similarity = assign(data.to(where), centroids.to(where), backend=backend)
    # Products of 16-bit numbers are exact in float32; only their sum is rounded.
    assert torch.equal(labels.cpu(), products.argmax(-1))
    torch.testing.assert_close(similarity.cpu().double(), products.amax(-1), rtol=1e-5, atol=1e-5)


def test_no_matrix_of_all_similarities(monkeypatch):
    """Blocks of any size give the same."""
    data, centroids = random(2, 33, 8), random(2, 11, 8, seed=1)
    monkeypatch.setattr("squeezed_kernels.assignment.assign.__kwdefaults__", {"block": 30})
    small = assign(data, centroids, backend="reference")
    monkeypatch.undo()
    for a, b in zip(small, assign(data, centroids, backend="reference"), strict=True):
        torch.testing.assert_close(a, b)
