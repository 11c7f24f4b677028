"""Methods that look up chunks or clusters of their own making, on examples worked by hand."""

import math

import pytest
import torch

import squeezed
from squeezed.methods.infllm import speaking_keys
from squeezed.methods.multipole import block_sizes
from squeezed.methods.rocketkv import by_sign, split_of
from squeezed.methods.shadowkv import outlier_chunks
from tests.squeezed.conftest import context_of, first_pass, kept_places, layer_of, random_ids

QUESTION = random_ids(12, seed=3)


# --- ShadowKV -----------------------------------------------------------------------------------------------


def test_an_outlier_is_the_chunk_with_the_key_least_like_its_mean():
    keys = torch.tensor([[[1.0, 0], [1, 0], [1, 0], [-1, 0.1]]])
    group_of_row = torch.tensor([[0, 0, 1, 1]])
    means = torch.tensor([[[1.0, 0], [0, 0.05]]])
    assert outlier_chunks(keys, means, group_of_row, 1).tolist() == [[False, True]]
    assert not bool(outlier_chunks(keys, means, group_of_row, 0).any())


def test_shadowkv_keeps_outliers_and_the_best_chunks_and_reads_landmarks():
    # Chunks of two: the second hides opposite keys in its mean; a query for e1 finds the third.
    keys = [[0.1, 0.0], [0.1, 0], [1, 0], [-1, 0.1], [3, 0], [3, 0], [2, 0], [2, 0]]
    ctx = context_of(layer_of([*keys, [0, 0], [0, 0]], range(8), offsets=((0, 4, 8),)))
    method = squeezed.ShadowKV(sparsity=0.5, chunk=2, outliers=1)
    assert kept_places(ctx, method, [[1.0, 0.0]]) == [2, 3, 4, 5]
    selection = method.bind(ctx, "reference")[0].select(torch.ones(1, 1, 1, 2), None)
    assert selection.lookup == pytest.approx(3 / 2)  # three landmarks, half a token each


def test_shadowkv_takes_the_largest_of_the_query_heads():
    keys = [[2.0, 0.0], [0, 1.5], [1, 1], [0, 0]]
    ctx = context_of(layer_of([*keys, [0, 0], [0, 0]], range(4), offsets=((0, 2, 4),)))
    heads = 5 * torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]]])

    def kept(**settings):
        method = squeezed.ShadowKV(sparsity=0.5, chunk=1, outliers=0, **settings)
        return method.bind(ctx, "reference")[0].select(heads, None).keep[0, 0, 0].nonzero()[:, 0]

    assert kept().tolist() == [0, 1]


# --- ClusterKV ----------------------------------------------------------------------------------------------


def test_the_last_cluster_is_cut_to_fit():
    # Clusters of 3 and 4 keys, the better one the second: of five keys, four and the first by place.
    keys = [1.0, 1, 1, 2, 2, 2, 2, 0, 0]
    ctx = context_of(layer_of(keys, [4, 5, 6, 0, 1, 2, 3], offsets=((0, 3, 7),)))
    method = squeezed.ClusterKV(sparsity=2 / 7, sinks=0)
    assert kept_places(ctx, method, [[1.0]]) == [0, 1, 2, 3, 4]
    assert kept_places(ctx, method, [[-1.0]]) == [0, 1, 4, 5, 6]


def test_clusters_weigh_one_whatever_their_size(ctx):
    """One cluster of ten times the keys and the same centroid has the same score: the first one wins."""
    keys = [1.0] * 2 + [1.0] * 6 + [0.0, 0.0]
    made = context_of(layer_of(keys, range(8), offsets=((0, 2, 8),)))
    assert kept_places(made, squeezed.ClusterKV(sparsity=0.75, sinks=0), [[1.0]]) == [0, 1]


# --- RetroInfer ---------------------------------------------------------------------------------------------


def test_three_zones():
    # Sizes 1, 2, 4, all logits 0: one cluster exactly, one estimated. The estimate adds 2 to the denominator,
    # not 6: the third cluster is absent.
    ctx = context_of(layer_of([0.0] * 9, range(7), offsets=((0, 1, 3, 7),)))
    method = squeezed.RetroInfer(sparsity=6 / 7, sinks=0, estimated=1 / 3)
    selection = method.bind(ctx, "reference")[0].select(torch.ones(1, 1, 1, 1), None)
    assert selection.keep[0, 0, 0].tolist() == [True] + [False] * 6
    assert selection.stand_ins.used[0, 0, 0].tolist() == [False, True, False]
    weights = (selection.stand_ins.counts * selection.stand_ins.used[0, :, 0]).sum()
    assert weights == 2
    # Read: three centroids of 2 bytes and one mean value, of tokens of 8 bytes.
    assert selection.lookup == pytest.approx((3 + 1) * 2 / 8)


def test_estimates_bring_the_output_closer(model, ctx):
    """With the second zone the dropped clusters' share of the output is not simply missing."""
    from tests.squeezed.conftest import logits

    want = logits(model, ctx, squeezed.Full(), QUESTION)
    errors = [
        (logits(model, ctx, squeezed.RetroInfer(sparsity=0.9, estimated=share), QUESTION) - want)
        .abs()
        .mean()
        for share in (0.0, 1.0)
    ]
    assert errors[1] < errors[0]


# --- Multipole ----------------------------------------------------------------------------------------------


def multipole_context():
    """Clusters of 3 and 4 keys by their turned keys; the keys as they are say something else."""
    turned = torch.tensor([[[2.0], [2], [2], [1], [1], [1], [1]]])
    keys = [5.0, 1, 5, 1, 5, 1, 5, 0, 0]
    layer = layer_of(keys, range(7), offsets=((0, 4, 7),), statistics={"turned_keys": turned})
    return context_of(layer)


def test_whole_clusters_of_turned_keys_as_long_as_they_fit():
    # Sizes 3 and 4, the better one first: of five keys three, of seven all; never more than asked.
    def kept(rows, asked):
        method = squeezed.Multipole(sparsity=1 - rows / 7, clusters=2 / 7, sinks=0)
        return kept_places(multipole_context(), method, [[asked]])

    assert kept(5, 1.0) == [0, 1, 2]
    assert kept(5, -1.0) == [3, 4, 5, 6]
    assert kept(7, 1.0) == list(range(7))
    assert kept(2, 1.0) == []


def test_a_dropped_cluster_speaks_by_its_turned_centroid_and_its_mean_value():
    ctx = multipole_context()
    method = squeezed.Multipole(sparsity=2 / 7, clusters=2 / 7, sinks=0)
    selection = method.bind(ctx, "reference")[0].select(torch.ones(1, 1, 1, 1), None)
    found = selection.stand_ins
    (one,) = found.used[0, 0, 0].nonzero().flatten().tolist()
    assert found.counts[0, one] == 4
    assert found.keys[0, one].tolist() == [1.0]
    assert found.values[0, one].tolist() == [4.5]  # of the values 3, 4, 5, 6
    # Read: two centroids and the mean value of the one that is dropped, 2 bytes each, of tokens of 8.
    assert float(selection.lookup) == pytest.approx((2 + 1) * 2 / 8)


def test_sinks_are_kept_and_belong_to_no_cluster():
    method = squeezed.Multipole(sparsity=3 / 7, clusters=2 / 6, sinks=1)
    ctx = multipole_context()
    assert kept_places(ctx, method, [[1.0]]) == [0, 1, 2]  # two keys at 2 are left, then the sink
    selection = method.bind(ctx, "reference")[0].select(torch.ones(1, 1, 1, 1), None)
    represented = (selection.stand_ins.counts[0] * selection.stand_ins.used[0, 0, 0]).sum()
    assert int(selection.keep.sum()) + int(represented) == 7


def test_long_contexts_are_clustered_in_blocks():
    assert block_sizes(0) == []
    assert block_sizes(5000) == [5000]
    assert block_sizes(12287) == [12287]
    assert block_sizes(12289) == [8192, 4097]
    assert block_sizes(30000) == [8192, 8192, 8192, 5424]


def test_what_speaks_for_dropped_clusters_brings_the_output_closer(model, ctx):
    """Without it, at an equal size, the dropped keys are simply missing."""
    from tests.squeezed.conftest import logits

    want = logits(model, ctx, squeezed.Full(), QUESTION)
    with_means, without = (
        (logits(model, ctx, method, QUESTION) - want).abs().mean()
        for method in (squeezed.Multipole(sparsity=0.9), squeezed.ClusterKV(sparsity=0.9))
    )
    assert with_means < without


# --- InfLLM -------------------------------------------------------------------------------------------------


def test_the_key_with_most_attention_speaks_for_its_block():
    keys = torch.tensor([[[1.0], [2], [3], [4], [5], [6]]])
    received = torch.tensor([[0.1, 0.9, 0.2, 0.3, 0.0, 0.1]])
    assert speaking_keys(keys, received, 4, 1).tolist() == [[[2.0], [6.0]]]
    assert speaking_keys(keys, received, 4, 2).tolist() == [[[3.0], [5.5]]]


def test_all_heads_keep_the_same_blocks(ctx):
    method = squeezed.InfLLM(sparsity=0.7, page=16, sinks=4)
    asked = torch.randn(1, 4, 3, 16, generator=torch.Generator().manual_seed(0))
    for layer, selector in zip(ctx.layers, method.bind(ctx, "reference"), strict=True):
        keep = selector.select(asked, None).keep[0, :, 0]
        places = [set(layer.positions[h][keep[h]].tolist()) for h in range(2)]
        assert places[0] == places[1]
        assert set(range(4)) <= places[0]


# --- RocketKV -----------------------------------------------------------------------------------------------


def test_rocketkv_divides_a_size_as_the_authors_do():
    # 32768 keys, 512 tokens: a split of .56, 3191 survivors, a rest of 6.23, pages of 3, 61 channels.
    split = split_of(32768, 512, 128)
    assert (split.survivors, split.page, split.channels) == (3191, 3, 61)
    pages = math.ceil(split.survivors / split.page)
    assert pages * split.channels * 2 / 512 == pytest.approx(256, rel=0.02)  # half is the lookup


def test_nothing_to_compress_needs_no_stage():
    split = split_of(100, 200, 16)
    assert (split.survivors, split.page, split.channels) == (100, 1, 16)


def test_the_sign_of_the_summed_query_picks_the_bound():
    asked = torch.tensor([[[[3.0, -1.0]], [[-2.0, -1.0]]]])  # two heads; sums 1 and -2
    found = by_sign(asked, None, heads=1, channels=2, block=None)
    assert found[0, :, 0].sign().tolist() == [[1.0, 0, 0, -1.0], [-1.0, 0, 0, -1.0]]


def test_rocketkv_keeps_survivors_only_and_half_of_what_is_asked(model, ctx):
    method = squeezed.RocketKV(kv_budget=0.3)
    selector = method.bind(ctx, "reference")[0]
    asked = torch.randn(1, 4, 1, 16, generator=torch.Generator().manual_seed(0))
    selection = selector.select(asked, None)
    traffic = 0.3 * ctx.tokens - 100
    assert selection.lookup == pytest.approx(traffic / 2, rel=0.15)
    assert selection.rows().mean().item() == pytest.approx(traffic - selection.lookup, abs=1)
    survives = selector.groups.sizes.sum(1)
    assert bool((survives == split_of(513, traffic, 16).survivors).all())
    groups = selector.groups.group_of_row
    assert bool((groups[selection.keep[0, :, 0]] < selector.groups.sizes.shape[1] - 1).all())


# --- All ----------------------------------------------------------------------------------------------------

GROUPED = {
    "shadowkv": lambda **a: squeezed.ShadowKV(outliers=4, **a),
    "clusterkv": squeezed.ClusterKV,
    "retroinfer": squeezed.RetroInfer,
    "multipole": squeezed.Multipole,
    "infllm": lambda **a: squeezed.InfLLM(page=16, sinks=4, **a),
    "rocketkv": squeezed.RocketKV,
}


@pytest.mark.parametrize("name", GROUPED)
def test_more_attention_is_held_than_by_chance(ctx, name):
    asked = ctx.layers[1].queries[None, :, -1:].float()
    exact = squeezed.Oracle(sparsity=0.8).bind(ctx, "reference")[1].select(asked, None).keep
    rows = GROUPED[name](sparsity=0.8).bind(ctx, "reference")[1].select(asked, None).row_mask()
    random = squeezed.Random(sparsity=0.8).bind(ctx, "reference")[1].select(asked, None).keep
    assert (rows & exact).sum() > (random & exact).sum()


@pytest.mark.parametrize("name", GROUPED)
def test_rules_without_a_calibration_are_refused(name):
    with pytest.raises(ValueError, match="rule is 'threshold'"):
        GROUPED[name](rule="threshold")


@pytest.mark.parametrize("name", GROUPED)
def test_blocks_select_for_themselves(model, ctx, name):
    cache = first_pass(model, ctx, GROUPED[name](sparsity=0.8, block=5), QUESTION)
    assert all(bool(reads.per_head().isfinite().all()) for reads in cache.reads)
