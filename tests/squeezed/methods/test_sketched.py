"""Methods that find single keys by a small copy of each, on examples worked by hand."""

import dataclasses
import math

import pytest
import torch
from squeezed_kernels import merge

import squeezed
from squeezed.cache.fixed import attend_rest
from squeezed.clustering import euclidean_kmeans, nearest
from squeezed.methods.double_sparsity import outlier_channels
from squeezed.methods.pqcache import decoded
from squeezed.methods.sketched import quantised
from squeezed.methods.sparq import on_largest
from tests.squeezed.conftest import (
    context_of,
    first_pass,
    kept_places,
    layer_of,
    logits,
    lookup_of,
    random_ids,
)

SKETCHED = {
    "pqcache": squeezed.PQCache,
    "double_sparsity": squeezed.DoubleSparsity,
    "loki": squeezed.Loki,
    "sparq": squeezed.SparQ,
    "few_bits": squeezed.FewBits,
}
QUESTION = random_ids(12, seed=3)


def query(length=1, seed=0):
    return torch.randn(1, 4, length, 16, generator=torch.Generator().manual_seed(seed))


# --- PQCache ------------------------------------------------------------------------------------------------


def test_pq_scores_are_sums_of_table_entries():
    # With the query (1, 1) the two codebooks' tables are [2, 1] and [0, 3]; codes (0, 0), (0, 1), (1, 1).
    books = [torch.tensor([[2.0], [1.0]]), torch.tensor([[0.0], [3.0]])]
    codes = [torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])]
    assert (decoded(codes, books) @ torch.ones(2)).tolist() == [2.0, 5.0, 4.0]


def test_pq_codebooks_are_means_of_what_is_nearest():
    points = torch.tensor([[0.0], [0.2], [5.0], [5.4]])
    centroids = euclidean_kmeans(points, 2, 10, seed=0)
    assert sorted(round(each, 4) for each in centroids[:, 0].tolist()) == [0.1, 5.2]
    assert nearest(points, torch.tensor([[0.1], [5.2]])).tolist() == [0, 0, 1, 1]
    assert euclidean_kmeans(points[:2], 64, 3, seed=0).shape == (
        2,
        1,
    )  # never more than there are points


def test_pq_keeps_the_first_keys_and_reads_codes_and_codebooks(model, ctx):
    method = squeezed.PQCache(sparsity=0.8, sinks=32)
    selection = method.bind(ctx, "reference")[0].select(query(), None)
    layer = ctx.layers[0]
    kept = layer.positions[0][selection.keep[0, 0, 0]]
    assert set(range(32)) <= set(kept.tolist())
    assert len(kept) == round(0.2 * 513)
    # 513 keys of 2 codes of 6 bits, 64 centroids of 16 entries of 2 bytes; a token has 128 bytes here.
    assert selection.lookup == pytest.approx((513 * 1.5 + 64 * 16 * 2) / 128)


# --- Double Sparsity ----------------------------------------------------------------------------------------


def test_channels_with_the_largest_products():
    # Means of |q k| at the same position: 3, 1, 2, 0. Two channels: 0 and 2.
    queries = torch.tensor([[[[3.0, -1, 2, 0], [-3, 1, -2, 0]]]])
    keys = torch.ones(1, 2, 4)
    assert outlier_channels(queries, keys, 2).tolist() == [[0, 2]]
    # Same position: a large query beside a small key is no large product.
    queries = torch.tensor([[[[9.0, 1.0], [0.0, 1.0]]]])
    keys = torch.tensor([[[0.0, 1.0], [9.0, 1.0]]])
    assert outlier_channels(queries, keys, 1).tolist() == [[1]]


def test_double_sparsity_reads_channels_in_bits_and_a_scale(ctx):
    selection = squeezed.DoubleSparsity().bind(ctx, "reference")[0].select(query(), None)
    assert selection.lookup == pytest.approx(513 * (8 * 4 / 8 + 4) / 128)


# --- Loki ---------------------------------------------------------------------------------------------------


def test_one_component_ranks_keys_on_a_line_as_all_do():
    direction = torch.tensor([3.0, 4.0]) / 5
    places = torch.tensor([0.0, 2, -1, 4, 3, -2, 1, 5])
    keys = torch.cat([places[:, None] * direction, torch.zeros(2, 2)])
    ctx = context_of(layer_of(keys, range(8), offsets=((0, 4, 8),)))
    for asked in (direction, -direction):
        want = kept_places(ctx, squeezed.Oracle(sparsity=0.5), asked[None].tolist())
        assert kept_places(ctx, squeezed.Loki(sparsity=0.5, rank=1), asked[None].tolist()) == want


def test_all_components_are_the_exact_scores(ctx):
    asked = query(3)
    whole = squeezed.Loki(sparsity=0.9, rank=16).bind(ctx, "reference")[0].select(asked, None)
    exact = squeezed.Oracle(sparsity=0.9).bind(ctx, "reference")[0].select(asked, None)
    assert (whole.keep == exact.keep).float().mean() > 0.998
    assert whole.lookup == pytest.approx(513 / 2)  # half a token's bytes for every key


# --- SparQ --------------------------------------------------------------------------------------------------


def test_the_largest_channels_with_the_scale_of_all():
    # q = (3, -4, 1, 0), two channels: 1 and 0. The scale is sqrt(4 * 7 / 8) = 1.871 in place of 2.
    asked = torch.tensor([[[[3.0, -4.0, 1.0, 0.0]]]])
    kept = on_largest(asked, asked, heads=1, count=2, block=None)
    factor = 2 / math.sqrt(4 * 7 / 8)
    torch.testing.assert_close(kept[0, 0, 0], torch.tensor([3.0, -4.0, 0, 0]) * factor)


def test_query_heads_and_tokens_of_a_block_share_channels():
    asked = torch.tensor([[[[5.0, 0, 1]], [[0.0, 4, 0]]]])  # two heads, one token
    kept = on_largest(asked, asked, heads=1, count=1, block=None)
    assert kept[0, :, 0].bool().tolist() == [[True, False, False], [False, False, False]]
    tokens = torch.tensor([[[[5.0, 0], [0, 4]]]])
    together = on_largest(tokens, tokens, heads=1, count=1, block=None)
    each = on_largest(tokens, tokens, heads=1, count=1, block=1)
    assert together[0, 0].bool().tolist() == [[True, False], [False, False]]
    assert each[0, 0].bool().tolist() == [[True, False], [False, True]]


def test_the_mean_value_speaks_for_what_is_dropped_as_the_paper_mixes_it():
    # Five keys and a window of two, all logits 0. Two keys are kept: with the window four sevenths of the
    # softmax. The paper mixes 4/7 of the exact output and 3/7 of the mean value.
    ctx = context_of(layer_of([0.0] * 7, range(5), offsets=((0, 3, 5),)))  # values 0 to 6
    method = squeezed.SparQ(sparsity=0.6, mean_value=True)
    asked = torch.ones(1, 1, 1, 1)
    selection = method.bind(ctx, "reference")[0].select(asked, None)
    kept = ctx.layers[0].values[0, [*selection.keep[0, 0, 0].nonzero()[:, 0].tolist(), 5, 6], 0]
    assert len(kept) == 4
    exact = kept.mean().view(1, 1, 1, 1), torch.tensor(4.0).log().view(1, 1, 1)
    mixed, _ = merge(exact, attend_rest(selection.rest, exact[1]), backend="reference")
    assert mixed.item() == pytest.approx(4 / 7 * kept.mean().item() + 3 / 7 * 3.0)
    # Read: one channel of each key, and the mean value; 4 bytes each, of tokens of 8.
    assert selection.lookup == pytest.approx((5 + 1) * 4 / 8)


@pytest.mark.parametrize("block", [1, 5])
def test_the_mean_value_brings_the_output_closer(model, ctx, block):
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    mixed, plain = (
        (logits(model, ctx, method, QUESTION) - want).abs().mean()
        for method in (
            squeezed.SparQ(sparsity=0.9, block=block, mean_value=mixed) for mixed in (True, False)
        )
    )
    assert mixed < plain


def test_nothing_dropped_needs_no_mean_value(model, ctx):
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    found = logits(model, ctx, squeezed.SparQ(sparsity=0.0, mean_value=True), QUESTION)
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-4)


# --- Few bits -----------------------------------------------------------------------------------------------


def test_values_come_back_at_their_nearest_step():
    values = torch.tensor([[0.0, 1.0, 2.0, 3.0, 1.4]])
    assert quantised(values, 2, 1).tolist() == [[0.0, 1.0, 2.0, 3.0, 1.0]]
    assert quantised(values, 1, 1).tolist() == [[0.0, 0.0, 3.0, 3.0, 0.0]]
    assert quantised(torch.full((1, 3), 7.0), 2, 1).tolist() == [[7.0] * 3]


def test_bytes_of_keys_in_few_bits(ctx):
    layer = ctx.layers[0]
    by_channel, by_token = squeezed.FewBits(), squeezed.FewBits(by="token", bits=4)
    assert by_channel.sketch_bytes(layer) == pytest.approx(513 * (16 * 2 / 8 + 16 * 4 / 32))
    assert by_token.sketch_bytes(layer) == pytest.approx(513 * (16 * 4 / 8 + 4))


def test_groups_are_of_neighbours_whatever_the_storage_order(model, ctx):
    other = squeezed.prepare(model, ctx.ids, (0.1,), seed=9)
    mine, theirs = (c.layers[0] for c in (ctx, other))
    method = squeezed.FewBits()
    torch.testing.assert_close(
        mine.in_place_order(method.sketch(mine).keys),
        theirs.in_place_order(method.sketch(theirs).keys),
    )


# --- All ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SKETCHED)
def test_the_measured_lookup_is_the_sketch(model, ctx, name):
    method = SKETCHED[name](sparsity=0.7)
    cache = first_pass(model, ctx, method, QUESTION)
    for layer, reads in zip(ctx.layers, cache.reads, strict=True):
        read = lookup_of(reads.steps[0]).mean().item()
        assert read == pytest.approx(method.lookup_floor(layer), rel=1e-4)


@pytest.mark.parametrize("name", SKETCHED)
def test_sketches_find_most_of_what_the_oracle_finds(ctx, name):
    asked = ctx.layers[1].queries[None, :, -1:].float()
    selection = SKETCHED[name](sparsity=0.8).bind(ctx, "reference")[1].select(asked, None)
    exact = squeezed.Oracle(sparsity=0.8).bind(ctx, "reference")[1].select(asked, None)
    random = squeezed.Random(sparsity=0.8).bind(ctx, "reference")[1].select(asked, None)
    found = (selection.keep & exact.keep).sum() / exact.keep.sum()
    assert found > 1.5 * (random.keep & exact.keep).sum() / exact.keep.sum()


@pytest.mark.parametrize("name", SKETCHED)
def test_a_mass_in_place_of_a_size(ctx, name):
    def kept(mass):
        method = SKETCHED[name](rule="topp", top_p=mass)
        return method.bind(ctx, "reference")[0].select(query(), None).rows()

    assert bool((kept(0.3) < kept(0.9)).all())


@pytest.mark.parametrize("name", SKETCHED)
def test_rules_without_a_calibration_are_refused(name):
    with pytest.raises(ValueError, match="no calibration"):
        SKETCHED[name](rule="threshold")


# --- Twilight -----------------------------------------------------------------------------------------------


def test_twilight_keeps_the_fewest_candidates_that_hold_the_mass():
    # Weights .5, .3, .15, .05 at a mass of .85: three. All four keys are candidates.
    logs = [math.log(each) for each in (0.5, 0.3, 0.15, 0.05)]
    ctx = context_of(layer_of([*logs, 0.0, 0.0], range(4), offsets=((0, 2, 4),)))
    method = squeezed.Twilight(sparsity=0.0, mass=0.85, page=1, bits=8)
    assert kept_places(ctx, method, [[1.0]]) == [0, 1, 2]
    assert kept_places(ctx, dataclasses.replace(method, mass=0.75), [[1.0]]) == [0, 1]
    # The softmax runs over the candidates alone: of two with .5 and .3, both are needed for .85.
    half = dataclasses.replace(method, sparsity=0.5)
    assert kept_places(ctx, half, [[1.0]]) == [0, 1]


def test_twilight_reads_at_most_what_is_asked_and_less_of_sharp_heads(model, ctx):
    for first in (None, squeezed.Squeezed(rule="topk"), squeezed.DoubleSparsity(group_factor=8)):
        method = squeezed.Twilight(kv_budget=0.6, first=first)
        out = squeezed.generate(model, ctx, QUESTION, method=method, max_new_tokens=4)
        assert out.stats.kv_budget <= 0.605
        heads = [share for layer in out.stats.budget_per_head for share in layer]
        assert max(heads) - min(heads) > 0.02
