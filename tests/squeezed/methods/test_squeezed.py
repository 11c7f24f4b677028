"""Squeezed Attention's choice, on an example worked by hand and against arithmetic of its own."""

import dataclasses
import math

import pytest
import torch

import squeezed
from tests.squeezed.conftest import context_of, kept_places, layer_of

PLACES = [0, 2, 4, 6, 8, 9, 1, 3, 5, 7]


def example(keys=(0.0, 3.0), **fields):
    """Ten clustered keys in two clusters of 6 and 4, and a window of two."""
    first, second = keys
    return layer_of([first] * 6 + [second] * 4 + [0.0] * 2, PLACES, **fields)


def select(method, layer, query=((1.0,),)):
    selector = method.bind(context_of(layer), "reference")[0]
    return selector.select(torch.tensor(query)[None, None], None)


def test_topk_keeps_the_cluster_that_matches():
    selection = select(squeezed.Squeezed(sparsity=0.6, rule="topk"), example())
    assert selection.row_mask()[0, 0, 0].tolist() == [False] * 6 + [True] * 4
    assert selection.rows().tolist() == [[[4]]]
    # Two bfloat16 centroids of one number beside tokens of two float32 numbers: 2 x 2 / 8 tokens.
    assert selection.lookup == 0.5


def test_threshold_reads_the_curve():
    # Scores per key: 1 / (6 + 4 e^3) and e^3 / (6 + 4 e^3), of 60 % and 40 % of the keys.
    layer = example(queries=torch.ones(1, 2, 1))
    kept = {
        s: select(squeezed.Squeezed(sparsity=s), layer).rows().item()
        for s in (0.0, 0.1, 0.5, 0.7, 0.9)
    }
    assert kept == {0.0: 10, 0.1: 4, 0.5: 4, 0.7: 0, 0.9: 0}


def test_topp_keeps_the_smallest_set_that_holds_the_mass():
    # The second cluster holds 4 e / (6 + 4 e) = 0.644 of the probability.
    layer = example((0.0, 1.0))
    for mass, rows in ((0.3, 4), (0.64, 4), (0.65, 10), (1.0, 10)):
        assert select(squeezed.Squeezed(rule="topp", top_p=mass), layer).rows().item() == rows


def test_scores_are_averaged_over_the_user_input():
    # One query for each cluster: alone they choose differently, together the stronger one decides.
    layer = example((2.0, -2.0))
    method = squeezed.Squeezed(sparsity=0.6, rule="topk")
    ctx = context_of(layer)
    assert kept_places(ctx, method, [[-1.0]]) == [1, 3, 5, 7]
    assert kept_places(ctx, method, [[-1.0], [0.1]]) == [1, 3, 5, 7]
    assert kept_places(ctx, method, [[1.0], [1.0], [-1.0]]) == sorted(PLACES[:6])


def test_blocks_of_queries_choose_for_themselves():
    layer = example((2.0, -2.0))
    method = squeezed.Squeezed(sparsity=0.6, rule="topk", block=2)
    selection = select(method, layer, [[-1.0], [-1.0], [1.0], [1.0]])
    assert selection.keep[0, 0].tolist() == [[False, True], [True, False]]
    assert selection.rows()[0, 0].tolist() == [4, 6]


def test_heads_of_a_group_are_averaged_or_the_largest_counts():
    # Per key and query head: the first head likes cluster 1 a little, the second cluster 2 a lot.
    layer = example((1.0, -1.0))
    query = torch.tensor([[[[0.7]], [[-0.2]]]])  # [1, 2 heads, 1, 1]
    weights = {q: {c: math.exp(q * c) for c in (1, -1)} for q in (0.7, -0.2)}
    shares = {q: {c: w[c] / (6 * w[1] + 4 * w[-1]) for c in (1, -1)} for q, w in weights.items()}
    for reduce, combine in (("mean", lambda a, b: (a + b) / 2), ("max", max)):
        method = squeezed.Squeezed(sparsity=0.5, rule="topk", reduce=reduce)
        selection = method.bind(context_of(layer), "reference")[0].select(query, None)
        best = max((1, -1), key=lambda c: combine(shares[0.7][c], shares[-0.2][c]))
        assert selection.keep[0, 0, 0].tolist() == [best == 1, best == -1], reduce


def test_max_keeps_what_one_head_needs_and_the_mean_drops():
    """Three heads agree on one cluster by a little; the fourth needs the other cluster a lot."""
    layer = layer_of([1.0] * 5 + [-1.0] * 5 + [0.0] * 2, offsets=((0, 5, 10),))
    query = torch.tensor([0.5, 0.5, 0.5, -0.6]).view(1, 4, 1, 1)
    chosen = {}
    for reduce in ("mean", "max"):
        method = squeezed.Squeezed(sparsity=0.5, rule="topk", reduce=reduce)
        selection = method.bind(context_of(layer), "reference")[0].select(query, None)
        chosen[reduce] = selection.keep[0, 0, 0].tolist()
    assert chosen == {"mean": [True, False], "max": [False, True]}


def test_soft_capped_logits_are_capped_in_the_lookup():
    # Logits 0 and 9: the second cluster holds all the mass. Capped at 1 it holds 4 e / (6 + 4 e) = 0.644.
    method = squeezed.Squeezed(rule="topp", top_p=0.9)
    assert select(method, example((0.0, 9.0))).rows().item() == 4
    assert select(method, example((0.0, 9.0), softcap=1.0)).rows().item() == 10


def test_hierarchy_scores_children_of_kept_clusters_only():
    keys = [0.0, 0.1, 0.2, 0.3, 2.0, 2.1, 2.2, 2.3]
    layer = layer_of([*keys, 9.0], range(8), offsets=((0, 2, 4), (0, 2, 4, 6, 8)), window=1)
    # Level 0: clusters of 4 keys; level 1: of 2. The coarse level keeps half, the second one.
    selection = select(squeezed.Squeezed(sparsity=0.75, rule="topk"), layer)
    assert selection.keep[0, 0, 0].tolist() == [False, False, False, True]
    # Read: 2 coarse centroids and the 2 children, of 2 bytes each; a token has 8.
    assert selection.lookup.tolist() == [[[4 * 2 / 8]]]
    # The other way round the other half is searched.
    other = select(squeezed.Squeezed(sparsity=0.75, rule="topk"), layer, ((-1.0,),))
    assert other.keep[0, 0, 0].tolist() == [True, False, False, False]


def test_residual_reads_the_mean_values_of_what_it_drops():
    layer = example()
    plain = select(squeezed.Squeezed(sparsity=0.6, rule="topk"), layer)
    residual = select(squeezed.Squeezed(sparsity=0.6, rule="topk", residual=True), layer)
    assert torch.equal(residual.keep, plain.keep)
    assert residual.stand_ins.used[0, 0, 0].tolist() == [True, False]
    assert residual.stand_ins.values[0, :, 0].tolist() == [2.5, 7.5]  # means of 0..5 and 6..9
    assert residual.lookup.item() == plain.lookup + 2 / 8  # one mean value more


def test_every_key_is_attended_or_stands_behind_one_centroid(deep):
    for depth, ctx in deep.items():
        method = squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True)
        layer = ctx.layers[1]
        selection = method.bind(ctx, "auto")[1].select(layer.queries[None], None)
        stand = selection.stand_ins
        behind = (stand.used * stand.counts[:, None]).sum(-1)
        total = behind + selection.rows()
        assert torch.equal(total, torch.full_like(total, layer.clustered)), depth


def test_the_index_in_the_selection_is_the_layers_own(ctx):
    method = squeezed.Squeezed(sparsity=0.8, rule="topk")
    selectors = method.bind(ctx, "auto")
    for layer, selector in zip(ctx.layers, selectors, strict=True):
        other = dataclasses.replace(ctx, layers=(layer,))
        alone = method.bind(other, "auto")[0].select(layer.queries[None], None)
        assert torch.equal(alone.keep, selector.select(layer.queries[None], None).keep)


@pytest.mark.parametrize("coarse", [0.5, (0.5, 0.75)])
def test_coarse_shares_as_one_number_or_for_each_level(deep, coarse):
    """0.5 a level drops half of the keys after the first level and three quarters after the second."""
    ctx = deep[3]
    method = squeezed.Squeezed(sparsity=0.9, coarse_sparsity=coarse)
    same = squeezed.Squeezed(sparsity=0.9)
    layer = ctx.layers[0]
    found = [m.bind(ctx, "auto")[0].select(layer.queries[None], None) for m in (method, same)]
    assert torch.equal(found[0].keep, found[1].keep)
