"""Centroids, and codes of what they leave out of each key."""

import pytest
import torch

import squeezed
from tests.squeezed.conftest import context_of, kept_places, layer_of, random_ids


def query(seed=0):
    return torch.randn(1, 4, 1, 16, generator=torch.Generator().manual_seed(seed))


def kept(ctx, layer, method, seed=0):
    return method.bind(ctx, "reference")[layer].select(query(seed), None).row_mask()


def test_a_lone_key_of_a_near_cluster_is_found():
    # Centroids (5, 0) and (-5, 0). The query (1, 3) looks for the fourth key: 5 + 9. Its cluster's mean hides
    # that; one bit an entry gives 2 bits, both for the second entry, in which alone the keys differ.
    near = [[5, -1], [5, -1], [5, -1], [5, 3], [5, 0], [5, 0]]
    far = [[-5, 0]] * 4
    ctx = context_of(layer_of([*near, *far, [0, 0], [0, 0]]))
    method = squeezed.SqueezedBest(sparsity=0.9, weights="equal")
    assert kept_places(ctx, method, [[1.0, 3.0]]) == [3]


@pytest.mark.parametrize("weights", ["queries", "equal"])
@pytest.mark.parametrize("base", ["centroid", "mean"])
def test_with_many_bits_it_is_the_oracle(ctx, base, weights):
    method = squeezed.SqueezedBest(sparsity=0.8, bits=8, base=base, weights=weights)
    for layer in range(len(ctx.layers)):
        best = kept(ctx, layer, squeezed.Oracle(sparsity=0.8, rule="topk"))
        assert (kept(ctx, layer, method) & best).sum() / best.sum() > 0.95


def test_each_part_brings_it_nearer_to_the_oracle(ctx):
    def shared(**changes):
        method = squeezed.SqueezedBest(sparsity=0.9, bits=0.5, **changes)
        found = 0.0
        for layer in range(len(ctx.layers)):
            for seed in range(20):
                best = kept(ctx, layer, squeezed.Oracle(sparsity=0.9, rule="topk"), seed)
                found += float((kept(ctx, layer, method, seed) & best).sum() / best.sum())
        return found

    whole = shared()
    assert whole > shared(base="mean")
    clusters = squeezed.Squeezed(sparsity=0.9, rule="topk")
    alone = sum(
        float((kept(ctx, layer, clusters, seed) & best).sum() / best.sum())
        for layer in range(len(ctx.layers))
        for seed in range(20)
        for best in [kept(ctx, layer, squeezed.Oracle(sparsity=0.9, rule="topk"), seed)]
    )
    assert whole > alone


def test_centroids_codes_and_the_basis_are_counted(ctx):
    layer = ctx.layers[0]
    clusters = layer.levels[-1].clusters
    # 513 codes of 16 bits. A centroid has 16 bytes and 4 for its scale. The basis has 16 rows of 16 numbers
    # of 2 bytes, and a step of 4 bytes each. A token has 128 bytes here.
    basis = 16 * (16 * 2 + 4)
    for changes, wanted in (
        ({}, 513 * 2 + clusters * 20 + basis),
        ({"bits": 0.5, "base": "mean"}, 513 * 1 + 20 + basis),
        ({"centroid_bits": 4}, 513 * 2 + clusters * 12 + basis),
    ):
        method = squeezed.SqueezedBest(sparsity=0.8, **changes)
        selection = method.bind(ctx, "reference")[0].select(query(), None)
        assert selection.lookup == pytest.approx(wanted / 128)
        assert bool((selection.keep.sum(-1) == round(0.2 * 513)).all())


@pytest.mark.parametrize("budget", [0.4, 0.5, 0.9])
def test_the_budget_is_met(model, ctx, budget):
    method = squeezed.SqueezedBest(kv_budget=budget)
    out = squeezed.generate(model, ctx, random_ids(9, seed=4), method=method, max_new_tokens=4)
    assert out.stats.kv_budget == pytest.approx(budget, abs=0.005)


def test_what_it_cannot_do_is_refused(model, ctx):
    with pytest.raises(ValueError, match="no calibration"):
        squeezed.SqueezedBest(rule="threshold")
    for changes, message in (
        ({"bits": 9}, "bits is 9; expected more than 0 and at most 8"),
        ({"bits": 0}, "bits is 0"),
        ({"centroid_bits": 0}, "centroid_bits is 0; expected 1 to 8"),
        ({"base": "none"}, "base is 'none'; expected one of centroid, mean"),
        ({"weights": "x"}, "weights is 'x'; expected one of queries, equal"),
    ):
        with pytest.raises(ValueError, match=message):
            squeezed.SqueezedBest(**changes)
    with pytest.raises(squeezed.BudgetError, match="does not cover the observation window"):
        squeezed.SqueezedBest(kv_budget=0.17).bind(ctx, "reference")
    without = squeezed.prepare(model, random_ids(300, seed=9), keep_queries=False)
    with pytest.raises(ValueError, match="prepare it with keep_queries=True"):
        squeezed.SqueezedBest(sparsity=0.5).bind(without, "reference")
