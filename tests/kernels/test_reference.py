"""The specification itself: by hand, and by what must not change it. Against float64: with the backends."""

import math

import pytest
import torch
from squeezed_kernels.reference import (
    attend,
    attend_groups,
    causal_mask,
    children,
    lookup,
    merge,
)


def random(*shape, seed=0, dtype=torch.float32, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(*shape, generator=generator)).to(dtype)


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


def test_lookup_hand_worked():
    # Two clusters with logits ln 1 and ln 3, of 2 and 1 keys: shares 1 / (2 + 3) and 3 / (2 + 3) per key.
    centroids = torch.tensor([[[0.0], [math.log(3)]]])
    scores = lookup(torch.ones(1, 1, 1, 1), centroids, torch.tensor([[2, 1]]), 1.0)
    torch.testing.assert_close(scores.exp(), torch.tensor([[[[0.2, 0.6]]]]))


def test_scores_of_all_keys_sum_to_one_and_empty_clusters_get_none():
    counts = torch.tensor([[3, 0, 5, 1]])
    scores = lookup(random(1, 2, 4, 8), random(1, 4, 8, seed=1), counts, 1.0)
    assert scores[0, 0, 0, 1] == -math.inf
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


# --- Lookup: what its arguments mean ------------------------------------------------------------------------


def lookup_case():
    """Two members, two query heads a KV head, ten query tokens, seven clusters of which one is empty."""
    counts = torch.tensor([[3, 1, 0, 5, 2, 8, 1], [1, 1, 1, 1, 0, 9, 4]])
    return random(2, 4, 10, 8, seed=1), random(2, 7, 8, seed=2), counts


def test_each_block_of_queries_scores_as_if_alone():
    query, centroids, counts = lookup_case()
    scores = lookup(query, centroids, counts, 0.5, block=4)
    assert scores.shape == (2, 2, 3, 7)
    for t, part in enumerate((slice(0, 4), slice(4, 8), slice(8, 10))):
        alone = lookup(query[:, :, part], centroids, counts, 0.5)
        torch.testing.assert_close(scores[:, :, t], alone[:, :, 0])


def test_padding_is_left_out():
    query, centroids, counts = lookup_case()
    valid = torch.ones(2, 10, dtype=torch.bool)
    valid[1, :4] = False
    query[1, :, :4] = 1e3  # whatever stands there
    scores = lookup(query, centroids, counts, 0.5, valid=valid)
    torch.testing.assert_close(scores[:1], lookup(query[:1], centroids, counts, 0.5))
    torch.testing.assert_close(scores[1:], lookup(query[1:, :, 4:], centroids, counts, 0.5))


def test_a_block_of_padding_has_no_score():
    query, centroids, counts = lookup_case()
    valid = torch.ones(2, 10, dtype=torch.bool)
    valid[1, :5] = False
    scores = lookup(query, centroids, counts, 0.5, valid=valid, block=5)
    assert bool((scores[1, :, 0] == -math.inf).all())
    assert bool(scores[1, :, 1, 5].isfinite().all())
    assert not bool(scores.isnan().any())


def test_reductions_over_query_heads():
    query, centroids, counts = lookup_case()
    by_head = torch.stack(
        [
            lookup(query[:, [g, g + 2]], centroids, counts, 0.5)  # head g of each KV head
            for g in range(2)
        ]
    ).exp()
    mean = lookup(query, centroids, counts, 0.5, reduce="mean").exp()
    largest = lookup(query, centroids, counts, 0.5, reduce="max").exp()
    torch.testing.assert_close(mean, by_head.mean(0))
    torch.testing.assert_close(largest, by_head.amax(0))
    with pytest.raises(ValueError, match="reduce is 'sum'; expected one of mean, max"):
        lookup(query, centroids, counts, 0.5, reduce="sum")


def test_candidates_score_as_if_there_were_no_others():
    query, centroids, counts = lookup_case()
    candidates = torch.zeros(2, 2, 1, 7, dtype=torch.bool)
    chosen = [0, 3, 5]
    candidates[..., chosen] = True
    scores = lookup(query, centroids, counts, 0.5, candidates=candidates)
    alone = lookup(query, centroids[:, chosen], counts[:, chosen], 0.5)
    torch.testing.assert_close(scores[..., chosen], alone)
    others = [i for i in range(7) if i not in chosen]
    assert bool((scores[..., others] == -math.inf).all())


def test_candidates_differ_by_member_head_and_block():
    query, centroids, counts = lookup_case()
    counts = counts.clamp(min=1)
    candidates = random(2, 2, 3, 7, seed=5) > 0
    candidates[..., 0] = True
    scores = lookup(query, centroids, counts, 0.5, candidates=candidates, block=4)
    assert torch.equal(scores > -math.inf, candidates)
    for b, h, t in ((0, 0, 0), (1, 1, 2), (0, 1, 1)):
        found = candidates[b, h, t]
        part = query[b : b + 1, 2 * h : 2 * h + 2, 4 * t : 4 * t + 4]
        alone = lookup(part, centroids[h : h + 1, found], counts[h : h + 1, found], 0.5)
        torch.testing.assert_close(scores[b, h, t, found], alone[0, 0, 0])


def test_soft_cap_of_the_lookup_hand_worked():
    # Logits 0 and 100, capped at 1: the second is tanh(100) = 1.
    centroids = torch.tensor([[[0.0], [100.0]]])
    scores = lookup(torch.ones(1, 1, 1, 1), centroids, torch.tensor([[2, 1]]), 1.0, softcap=1.0)
    total = 2 + math.e
    torch.testing.assert_close(scores.exp(), torch.tensor([[[[1 / total, math.e / total]]]]))


def test_large_cap_is_no_cap():
    query, centroids, counts = lookup_case()
    torch.testing.assert_close(
        lookup(query, centroids, counts, 0.5, softcap=1e4), lookup(query, centroids, counts, 0.5)
    )


def test_blocks_below_one_are_refused():
    query, centroids, counts = lookup_case()
    with pytest.raises(ValueError, match="block is 0"):
        lookup(query, centroids, counts, 0.5, block=0)


# --- Attention ----------------------------------------------------------------------------------------------


def test_soft_cap_of_attention_hand_worked():
    query = torch.ones(1, 1, 1, 1)
    keys, values = torch.tensor([0.0, 100.0]), torch.tensor([0.0, 1.0])
    shape = (1, 1, 2, 1)
    out, lse = attend(query, keys.view(shape), values.view(shape), None, 1.0, softcap=1.0)
    assert out.item() == pytest.approx(math.e / (1 + math.e))
    assert lse.item() == pytest.approx(math.log(1 + math.e))


def test_bias_of_log_n_is_n_equal_keys():
    query, keys, values = random(2, 4, 3, 8), random(1, 2, 5, 8, seed=1), random(1, 2, 5, 8, seed=2)
    weights = torch.tensor([[1, 4, 2, 1, 3], [2, 1, 1, 5, 1]])
    out, lse = attend(query, keys, values, None, 0.5, bias=weights.log())
    for h in range(2):
        rows = torch.arange(5).repeat_interleave(weights[h])
        heads = slice(2 * h, 2 * h + 2)
        want, want_lse = attend(
            query[:, heads], keys[:, h, None, rows], values[:, h, None, rows], None, 0.5
        )
        torch.testing.assert_close(out[:, heads], want)
        torch.testing.assert_close(lse[:, heads], want_lse)


def test_causal_mask_lets_the_last_tokens_see_up_to_themselves():
    assert causal_mask(2, 4, torch.device("cpu"))[0, 0].tolist() == [
        [True, True, True, False],
        [True, True, True, True],
    ]


# --- Groups of rows -----------------------------------------------------------------------------------------


def test_children_hand_worked():
    keep = torch.tensor([[[[True, False, True]], [[False, True, False]]]])
    offsets = torch.tensor([[0, 2, 2, 5], [0, 1, 4, 5]], dtype=torch.int32)
    found = children(keep, offsets)
    assert found[0, 0, 0].tolist() == [True, True, True, True, True]
    assert found[0, 1, 0].tolist() == [False, True, True, True, False]


def test_children_of_children_are_the_rows_of_the_composed_ranges():
    coarse = torch.tensor([[0, 2, 3]], dtype=torch.int32)
    fine = torch.tensor([[0, 4, 5, 9]], dtype=torch.int32)
    keep = torch.tensor([[[[False, True]], [[True, False]]]]).view(2, 1, 1, 2)
    rows = children(children(keep, coarse), fine)
    assert rows[0, 0, 0].nonzero().flatten().tolist() == [5, 6, 7, 8]
    assert rows[1, 0, 0].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]


def groups_case():
    """Five groups of eleven rows and a window of three, two KV heads; some groups are empty."""
    offsets = torch.tensor([[0, 3, 3, 7, 10, 11], [0, 0, 1, 9, 9, 11]], dtype=torch.int32)
    keep = random(2, 2, 3, 5, seed=6) > 0
    return (
        random(2, 4, 10, 8, seed=1),
        random(2, 14, 8, seed=2),
        random(2, 14, 8, seed=3),
        keep,
        offsets,
    )


def test_groups_are_attention_over_their_rows_and_the_window():
    query, keys, values, keep, offsets = groups_case()
    out, lse = attend_groups(query, keys, values, keep, offsets, 0.5, block=4, softcap=2.0)
    for b, h, t in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(3)).tolist():
        rows = [
            row
            for i in range(5)
            if keep[b, h, t, i]
            for row in range(*offsets[h, i : i + 2].tolist())
        ] + [11, 12, 13]
        place = (slice(b, b + 1), slice(2 * h, 2 * h + 2), slice(4 * t, 4 * t + 4))
        want, want_lse = attend(
            query[place],
            keys[None, h, None, rows],
            values[None, h, None, rows],
            None,
            0.5,
            softcap=2.0,
        )
        torch.testing.assert_close(out[place], want)
        torch.testing.assert_close(lse[place], want_lse)


def test_rows_can_be_groups_of_their_own():
    query, keys, values, keep, offsets = groups_case()
    as_rows = attend_groups(query, keys, values, children(keep, offsets), None, 0.5, block=4)
    as_groups = attend_groups(query, keys, values, keep, offsets, 0.5, block=4)
    for a, b in zip(as_rows, as_groups, strict=True):
        assert torch.equal(a, b)


def test_nothing_kept_leaves_the_window():
    query, keys, values, keep, offsets = groups_case()
    nothing = torch.zeros_like(keep[:, :, :1])
    out, lse = attend_groups(query, keys, values, nothing, offsets, 0.5)
    want, want_lse = attend(query, keys[None, :, 11:], values[None, :, 11:], None, 0.5)
    torch.testing.assert_close(out, want)
    torch.testing.assert_close(lse, want_lse)
