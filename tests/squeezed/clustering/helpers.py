"""Keys to cluster, and what a partition of them is worth."""

import torch
from torch.nn import functional


def random_keys(heads=2, count=200, size=16, seed=0):
    return torch.randn(heads, count, size, generator=torch.Generator().manual_seed(seed))


def groups(count, each, size=32, noise=0.02, seed=0):
    """Keys ``[1, count * each, size]`` around ``count`` random directions, and each key's group."""
    centres = functional.normalize(random_keys(1, count, size, seed)[0], dim=-1)
    truth = torch.arange(count).repeat_interleave(each)
    keys = centres[truth] + noise * random_keys(1, count * each, size, seed + 1)[0]
    return keys[None], truth


def inertia(keys, order, counts):
    """Sum over all keys of the squared distance of the unit key to the unit mean of its cluster."""
    total = 0.0
    for unit, rows, sizes in zip(functional.normalize(keys, dim=-1), order, counts, strict=True):
        for part in unit[rows].split(sizes.tolist()):
            centroid = functional.normalize(part.sum(0), dim=-1)
            total += (part - centroid).square().sum().item()
    return total


def assert_partition(order, counts, keys, clusters):
    heads, count, _ = keys.shape
    assert order.dtype == counts.dtype == torch.int64
    assert counts.shape == (heads, clusters)
    assert torch.equal(order.sort(dim=1).values, torch.arange(count).expand(heads, -1))
    assert bool((counts.sum(1) == count).all())
    assert bool((counts > 0).all())
