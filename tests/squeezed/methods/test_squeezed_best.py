"""A shortlist by centroids, ranked by what is left of each key in few bits."""

import pytest
import torch

import squeezed
from squeezed.methods.squeezed_best import few_bits
from tests.squeezed.conftest import context_of, kept_places, layer_of, random_ids


def query(seed=0):
    return torch.randn(1, 4, 1, 16, generator=torch.Generator().manual_seed(seed))


def test_one_bit_is_a_sign_and_two_are_four_levels():
    # Deviation 1: a step of 1.596, so half of it on either side of zero.
    assert few_bits(torch.tensor([[[-1.0], [1.0]]]), 1).flatten().tolist() == pytest.approx(
        [-0.798, 0.798]
    )
    # Deviation 1.4213, step 1.4152: levels at half a step and at one and a half.
    values = few_bits(torch.tensor([[[-2.0], [-0.2], [0.2], [2.0]]]), 2).flatten()
    assert values.tolist() == pytest.approx([-2.1228, -0.7076, 0.7076, 2.1228], abs=1e-3)


def test_every_channel_has_a_step_of_its_own():
    values = torch.tensor([[[-1.0, -100.0], [1.0, 100.0]]])
    assert few_bits(values, 1)[0, 1].tolist() == pytest.approx([0.798, 79.8])


def test_a_lone_key_of_a_near_cluster_is_found():
    # Centroids (5, 0) and (-5, 0): the first cluster is the shortlist. In it the fourth key is what the
    # query (1, 3) looks for: 5 + 9. Its cluster's mean hides that.
    near = [[5, -1], [5, -1], [5, -1], [5, 3], [5, 0], [5, 0]]
    far = [[-5, 0]] * 4
    ctx = context_of(layer_of([*near, *far, [0, 0], [0, 0]]))
    method = squeezed.SqueezedBest(sparsity=0.9, shortlist=6)
    assert kept_places(ctx, method, [[1.0, 3.0]]) == [3]


def test_with_many_bits_and_a_long_list_it_is_the_oracle(ctx):
    method = squeezed.SqueezedBest(sparsity=0.8, shortlist=5, bits=8)
    for layer in range(len(ctx.layers)):
        mine, best = (
            each.bind(ctx, "reference")[layer].select(query(layer), None).row_mask()
            for each in (method, squeezed.Oracle(sparsity=0.8, rule="topk"))
        )
        assert (mine & best).sum() / best.sum() > 0.97


def test_centroids_and_codes_of_the_shortlist_are_counted(ctx):
    layer = ctx.layers[0]
    method = squeezed.SqueezedBest(sparsity=0.8, shortlist=2.0)
    selection = method.bind(ctx, "reference")[0].select(query(), None)
    # A centroid has 16 bytes and 4 for its scale, a channel's step 2; a token has 128 bytes here.
    centroids = (layer.levels[-1].clusters * 20 + 16 * 2) / 128
    listed = (selection.lookup - centroids) * 128 / 4  # a code has 16 entries of 2 bits
    rows = selection.keep.sum(-1)
    assert bool((rows == round(0.2 * layer.clustered)).all())
    assert bool((listed >= rows).all())
    # Clusters are whole: the shortlist meets its length up to half of the largest.
    largest = int(layer.levels[-1].counts.max())
    assert bool(((listed - 2 * rows).abs() <= largest / 2 + 1).all())


@pytest.mark.parametrize("budget", [0.3, 0.5, 0.9])
def test_the_budget_is_met(model, ctx, budget):
    method = squeezed.SqueezedBest(kv_budget=budget)
    out = squeezed.generate(model, ctx, random_ids(9, seed=4), method=method, max_new_tokens=4)
    assert out.stats.kv_budget == pytest.approx(budget, abs=0.005)


def test_what_it_cannot_do_is_refused(ctx):
    with pytest.raises(ValueError, match="no calibration"):
        squeezed.SqueezedBest(rule="threshold")
    with pytest.raises(ValueError, match=r"shortlist is 0.5; expected 1 or more"):
        squeezed.SqueezedBest(shortlist=0.5)
    with pytest.raises(ValueError, match="bits is 9; expected 1 to 8"):
        squeezed.SqueezedBest(bits=9)
    with pytest.raises(squeezed.BudgetError, match="does not cover the observation window"):
        squeezed.SqueezedBest(kv_budget=0.17).bind(ctx, "reference")
