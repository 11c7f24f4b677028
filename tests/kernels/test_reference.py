"""The specification itself, against independent float64 arithmetic in NumPy."""

import math

import numpy as np
import pytest
import torch
from squeezed_kernels import attend, lookup, merge


def random(*shape, seed=0, dtype=torch.float32, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(*shape, generator=generator)).to(dtype)


def numpy_attend(query, keys, values, mask, scale):
    """One query at a time, one head at a time, in float64."""
    query, keys, values = (x.double().numpy() for x in (query, keys, values))
    batch, query_heads, length, _ = query.shape
    groups = query_heads // keys.shape[1]
    out, lse = np.zeros(query.shape), np.full(query.shape[:3], -np.inf)
    for b, h, t in np.ndindex(batch, query_heads, length):
        rows = np.flatnonzero(mask[b, h // groups, t])
        if len(rows):
            logits = scale * keys[b, h // groups, rows] @ query[b, h, t]
            lse[b, h, t] = logits.max() + np.log(np.exp(logits - logits.max()).sum())
            out[b, h, t] = np.exp(logits - lse[b, h, t]) @ values[b, h // groups, rows]
    return out, lse


@pytest.mark.parametrize(
    ("batch", "query_heads", "kv_heads", "length", "keys", "size"),
    [(1, 1, 1, 1, 1, 8), (2, 6, 2, 5, 37, 16), (1, 4, 4, 3, 129, 32), (1, 8, 1, 7, 61, 64)],
)
def test_attend_equals_float64(batch, query_heads, kv_heads, length, keys, size):
    query = random(batch, query_heads, length, size, seed=1)
    key, value = (random(batch, kv_heads, keys, size, seed=s) for s in (2, 3))
    mask = random(batch, kv_heads, length, keys, seed=4) > 0
    out, lse = attend(query, key, value, mask, size**-0.5)
    want, want_lse = numpy_attend(query, key, value, mask.numpy(), size**-0.5)
    assert np.linalg.norm(out.numpy() - want) <= 1e-5 * max(np.linalg.norm(want), 1e-9)
    np.testing.assert_allclose(lse.numpy(), want_lse, rtol=1e-5, atol=1e-5)


def test_query_blocks_do_not_change_the_result(monkeypatch):
    query, key, value = (
        random(1, 2, 11, 8),
        random(1, 1, 20, 8, seed=1),
        random(1, 1, 20, 8, seed=2),
    )
    mask = random(1, 1, 11, 20, seed=3) > 0
    whole = attend(query, key, value, mask, 1.0)
    scores = lookup(query, key[0], torch.ones(1, 20, dtype=torch.int32), 1.0)
    monkeypatch.setattr("squeezed_kernels.reference.QUERY_BLOCK", 3)
    for a, b in zip(whole, attend(query, key, value, mask, 1.0), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(
        scores, lookup(query, key[0], torch.ones(1, 20, dtype=torch.int32), 1.0)
    )


def test_query_that_sees_nothing_gives_zero_not_nan():
    mask = torch.zeros(1, 1, 1, 5, dtype=torch.bool)
    out, lse = attend(random(1, 2, 3, 4), random(1, 1, 5, 4), random(1, 1, 5, 4), mask, 1.0)
    assert torch.equal(out, torch.zeros_like(out))
    assert bool((lse == -math.inf).all())


@pytest.mark.parametrize("split", [0, 1, 20, 41])
def test_merge_of_two_parts_is_attention_over_the_union(split):
    query, key, value = (
        random(2, 4, 3, 16),
        random(2, 2, 41, 16, seed=1),
        random(2, 2, 41, 16, seed=2),
    )
    whole, whole_lse = attend(query, key, value, None, 0.25)
    first = torch.zeros(1, 1, 1, 41, dtype=torch.bool)
    first[..., :split] = True
    out, lse = merge(
        attend(query, key, value, first, 0.25), attend(query, key, value, ~first, 0.25)
    )
    torch.testing.assert_close(out, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(lse, whole_lse, rtol=1e-5, atol=1e-6)


def numpy_lookup(query, centroids, counts, scale):
    query, centroids = query.double().numpy(), centroids.double().numpy()
    batch, query_heads, length, _ = query.shape
    groups = query_heads // len(centroids)
    total = np.zeros((batch, *centroids.shape[:2]))
    for b, h, t in np.ndindex(batch, query_heads, length):
        kv = h // groups
        logits = scale * centroids[kv] @ query[b, h, t]
        weights = np.exp(logits - logits.max())
        total[b, kv] += weights / (counts[kv] * weights).sum() / (groups * length)
    return total


def test_lookup_equals_float64():
    query, centroids = random(2, 6, 9, 16, seed=1), random(3, 31, 16, seed=2)
    counts = torch.randint(1, 50, (3, 31), generator=torch.Generator().manual_seed(3)).int()
    scores = lookup(query, centroids, counts, 0.25)
    np.testing.assert_allclose(
        scores.exp().numpy(), numpy_lookup(query, centroids, counts.numpy(), 0.25), rtol=2e-5
    )


def test_lookup_hand_worked():
    # Two clusters with logits ln 1 and ln 3, of 2 and 1 keys: shares 1 / (2 + 3) and 3 / (2 + 3) per key.
    centroids = torch.tensor([[[0.0], [math.log(3)]]])
    scores = lookup(torch.ones(1, 1, 1, 1), centroids, torch.tensor([[2, 1]]), 1.0)
    torch.testing.assert_close(scores.exp(), torch.tensor([[[0.2, 0.6]]]))


def test_scores_of_all_keys_sum_to_one_and_empty_clusters_get_none():
    counts = torch.tensor([[3, 0, 5, 1]])
    scores = lookup(random(1, 2, 4, 8), random(1, 4, 8, seed=1), counts, 1.0)
    assert scores[0, 0, 1] == -math.inf
    torch.testing.assert_close((scores.exp() * counts).sum(), torch.tensor(1.0))


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_logits_stay_finite(size):
    query, centroids = random(1, 2, 4, 8, scale=size), random(1, 6, 8, seed=1)
    scores = lookup(query, centroids, torch.ones(1, 6, dtype=torch.int32), 1.0)
    assert bool(scores.isfinite().all())
    assert bool((scores <= 1e-6).all())


def test_uneven_head_groups_are_refused():
    with pytest.raises(ValueError, match="3 query heads cannot share 2 KV heads"):
        lookup(random(1, 3, 1, 4), random(2, 5, 4), torch.ones(2, 5), 1.0)
