"""Nearest centroids of every backend."""

import pytest
import torch
from squeezed_kernels import assign, label_least, label_order, label_sums, own_products

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
    monkeypatch.setattr("squeezed_kernels.clusters.assign.__kwdefaults__", {"block": 30})
    small = assign(data, centroids, backend="reference")
    monkeypatch.undo()
    for a, b in zip(small, assign(data, centroids, backend="reference"), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("rows", "clusters", "size"), [(1, 1, 8), (41, 9, 7), (400, 30, 64)])
def test_own_products_equal_float64(backend, rows, clusters, size):
    data, centres = random(3, rows, size), random(3, clusters, size, seed=1)
    labels = torch.randint(clusters, (3, rows), generator=torch.Generator().manual_seed(2))
    own = centres.double().gather(1, labels.unsqueeze(-1).expand(-1, -1, size))
    found = own_products(data, centres, labels, backend=backend)
    expected = (data.double() * own).sum(-1)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("rows", "clusters", "size"), [(1, 3, 8), (41, 9, 7), (400, 30, 64)])
def test_label_sums_equal_float64(backend, rows, clusters, size):
    data, weights = random(3, rows, size), random(3, rows, seed=1).abs()
    labels = torch.randint(clusters, (3, rows), generator=torch.Generator().manual_seed(2))
    labels[labels == 1] = 0  # a label that no row has
    onto = torch.nn.functional.one_hot(labels, clusters).double().transpose(1, 2)
    expected = onto @ (data.double() * weights.double().unsqueeze(-1))
    found = label_sums(data, weights, labels, clusters, backend=backend)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(found, label_sums(data, weights, labels, clusters, backend=backend))
    assert not found[:, 1:2].any()


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("rows", "clusters"), [(1, 3), (41, 9), (400, 30)])
def test_rows_by_label_and_the_least_of_each(backend, rows, clusters):
    labels = torch.randint(clusters, (3, rows), generator=torch.Generator().manual_seed(2))
    labels[labels == 1] = 0  # a label that no row has
    values = random(3, rows).round(decimals=1)  # some are equal
    order = label_order(labels, clusters, backend=backend)
    least = label_least(values, labels, clusters, backend=backend)
    for head in range(3):
        own = labels[head].tolist()
        assert order[head].tolist() == sorted(range(rows), key=lambda i: (own[i], i))
        for label in range(clusters):
            members = [i for i in range(rows) if own[i] == label]
            want = min(members, key=lambda i: (values[head, i].item(), i), default=0)
            assert least[head, label] == want


def test_labels_of_another_shape_are_refused():
    data, labels = random(1, 5, 8), torch.zeros(1, 4, dtype=torch.int64)
    with pytest.raises(ValueError, match="labels"):
        own_products(data, data, labels)
    with pytest.raises(ValueError, match="labels"):
        label_least(data[..., 0], labels, 2)
    with pytest.raises(ValueError, match=r"labels is torch.int32"):
        label_order(labels.int(), 2)
    with pytest.raises(ValueError, match="weights"):
        label_sums(data, torch.ones(1, 4), torch.zeros(1, 5, dtype=torch.int64), 2)
