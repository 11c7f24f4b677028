"""Static baselines and the oracle, on examples worked by hand and against arithmetic of their own."""

import dataclasses

import pytest
import torch

import squeezed
from tests.squeezed.conftest import (
    attention_weights,
    context_of,
    first_pass,
    kept_places,
    layer_of,
    random_ids,
)

PLACES = [0, 2, 4, 6, 8, 9, 1, 3, 5, 7]


def by_place(values, **fields):
    """A layer of ten clustered keys, given in the order of the context, stored in another."""
    return layer_of([values[place] for place in PLACES] + [0.0, 0.0], PLACES, **fields)


# --- Full ---------------------------------------------------------------------------------------------------


def test_full_drops_nothing(model, ctx):
    assert all(s.select(None, None) is None for s in squeezed.Full().bind(ctx, "auto"))
    out = squeezed.generate(model, ctx, random_ids(9, 1), method=squeezed.Full(), max_new_tokens=4)
    assert out.stats.kv_budget == 1.0
    assert out.stats.lookup_budget == 0.0


# --- Oracle -------------------------------------------------------------------------------------------------


def test_oracle_keeps_the_best_single_keys():
    ctx = context_of(by_place([0, 9, 1, 8, 2, 7, 3, 6, 4, 5.0]))
    assert kept_places(ctx, squeezed.Oracle(sparsity=0.7), [[1.0]]) == [1, 3, 5]
    assert kept_places(ctx, squeezed.Oracle(sparsity=0.7), [[-1.0]]) == [0, 2, 4]


def test_oracle_averages_exact_attention_weights(ctx):
    """Against softmax over the clustered keys in float64, averaged over query tokens and heads."""
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(1, 4, 7, 16, generator=generator)
    layer = ctx.layers[0]
    keys = layer.keys[:, : layer.clustered].double()
    weights = layer.scale * query[0].double().unflatten(0, (2, 2)) @ keys[:, None].transpose(2, 3)
    scores = weights.softmax(-1).mean((1, 2))
    selection = squeezed.Oracle(sparsity=0.9).bind(ctx, "auto")[0].select(query, None)
    for head in range(2):
        best = set(scores[head].topk(51).indices.tolist())
        assert set(selection.keep[0, head, 0].nonzero().flatten().tolist()) == best


def test_oracle_threshold_is_calibrated_on_the_keys(model, ctx):
    for sparsity in (0.5, 0.9):
        method = squeezed.Oracle(sparsity=sparsity, rule="threshold")
        shares = [
            selector.select(layer.queries[None], None).rows().mean() / layer.clustered
            for layer, selector in zip(ctx.layers, method.bind(ctx, "auto"), strict=True)
        ]
        assert torch.stack(shares).mean().item() == pytest.approx(1 - sparsity, abs=0.01)


# --- StreamingLLM -------------------------------------------------------------------------------------------


def test_streaming_keeps_first_and_last_by_place():
    ctx = context_of(by_place([0.0] * 10))
    assert kept_places(ctx, squeezed.StreamingLLM(sparsity=0.6, sinks=1), [[1.0]]) == [0, 7, 8, 9]
    assert kept_places(ctx, squeezed.StreamingLLM(sparsity=0.6), [[1.0]]) == [0, 1, 2, 3]
    assert kept_places(ctx, squeezed.StreamingLLM(sparsity=0.6, sinks=0), [[1.0]]) == [6, 7, 8, 9]
    assert kept_places(ctx, squeezed.StreamingLLM(sparsity=0.8, sinks=9), [[1.0]]) == [0, 1]


# --- Random -------------------------------------------------------------------------------------------------


def draw(ctx, sparsity, seed=0, layer=0) -> set[int]:
    return set(kept_places(ctx, squeezed.Random(sparsity=sparsity, seed=seed), [[0.0] * 16], layer))


def test_random_draws_the_asked_number_and_the_same_again(ctx):
    clustered = ctx.layers[0].clustered
    assert len(draw(ctx, 0.7)) == round(0.3 * clustered)
    assert draw(ctx, 0.7) == draw(ctx, 0.7)
    assert draw(ctx, 0.7) != draw(ctx, 0.7, seed=1)
    assert draw(ctx, 0.7) != draw(ctx, 0.7, layer=1)


def test_random_draws_nest(ctx):
    assert draw(ctx, 0.95) < draw(ctx, 0.8) < draw(ctx, 0.3)


def test_random_does_not_depend_on_the_clustering(model, ctx):
    other = squeezed.prepare(model, ctx.ids, (0.1,), seed=5)
    assert draw(other, 0.7) == draw(ctx, 0.7)


# --- SnapKV -------------------------------------------------------------------------------------------------


def test_snapkv_keeps_the_neighbours_of_a_hit():
    values = [0.0] * 10
    values[3], values[8] = 5.0, 4.0
    ctx = context_of(by_place(values, queries=torch.ones(1, 2, 1)))
    pooled = squeezed.SnapKV(sparsity=0.7, kernel=3)
    assert kept_places(ctx, pooled, [[0.0]]) == [2, 3, 4]
    assert kept_places(ctx, squeezed.SnapKV(sparsity=0.4, kernel=3), [[0.0]]) == [2, 3, 4, 7, 8, 9]
    assert kept_places(ctx, squeezed.SnapKV(sparsity=0.8, kernel=1), [[0.0]]) == [3, 8]


def test_snapkv_observes_the_last_queries_of_the_window_only():
    values = [0.0] * 10
    values[2], values[7] = 3.0, -3.0
    queries = torch.tensor([[[-1.0], [-1.0], [-1.0], [1.0]]])
    ctx = context_of(by_place(values, queries=queries))
    last = squeezed.SnapKV(sparsity=0.9, kernel=1, queries=1)
    assert kept_places(ctx, last, [[0.0]]) == [2]
    assert kept_places(ctx, squeezed.SnapKV(sparsity=0.9, kernel=1), [[0.0]]) == [7]


def test_snapkv_on_the_user_input_chooses_once_and_reads_every_key_for_it():
    values = [0.0] * 10
    values[2], values[7] = 3.0, -3.0
    ctx = context_of(by_place(values, queries=torch.ones(1, 2, 1)))
    selector = squeezed.SnapKV(sparsity=0.9, kernel=1, observe="input").bind(ctx, "reference")[0]
    first = selector.select(-torch.ones(1, 1, 3, 1), None)
    assert PLACES[first.keep[0, 0, 0].nonzero().item()] == 7
    assert first.lookup == 5.0  # ten keys: half of ten tokens' bytes
    later = selector.select(torch.ones(1, 1, 1, 1), None)
    assert torch.equal(later.keep, first.keep)
    assert later.lookup == 0.0


def test_snapkv_without_the_windows_queries_is_refused():
    ctx = context_of(by_place([0.0] * 10))
    with pytest.raises(ValueError, match="keep_queries=True"):
        ctx.cache(squeezed.SnapKV())
    ctx.cache(squeezed.SnapKV(observe="input"))


# --- H2O ----------------------------------------------------------------------------------------------------


def test_h2o_keeps_heavy_hitters_and_recent_keys():
    received = torch.tensor([5.0, 0, 9, 0, 7, 0, 0, 0, 0, 0])
    ctx = context_of(
        by_place([0.0] * 10, statistics={"received_attention": received[PLACES][None]})
    )
    assert kept_places(ctx, squeezed.H2O(sparsity=0.6), [[1.0]]) == [2, 4, 8, 9]
    assert kept_places(ctx, squeezed.H2O(sparsity=0.6, recent=0.25), [[1.0]]) == [0, 2, 4, 9]
    assert kept_places(ctx, squeezed.H2O(sparsity=0.8, recent=0), [[1.0]]) == [2, 4]


def test_accumulated_attention_is_the_sum_of_the_attention_matrix(model, ctx):
    """Against transformers' eager attention: summed over queries, averaged over a KV head's query heads."""
    matrices = attention_weights(model, ctx.ids)
    for layer, matrix in zip(ctx.layers, matrices, strict=True):
        want = matrix[0].sum(1).unflatten(0, (2, 2)).mean(1)[:, : layer.clustered]
        torch.testing.assert_close(
            layer.in_place_order(layer.statistics["received_attention"]), want, rtol=1e-3, atol=1e-4
        )


def test_h2o_without_accumulated_attention_is_refused(ctx):
    bare = dataclasses.replace(
        ctx, layers=tuple(dataclasses.replace(layer, statistics={}) for layer in ctx.layers)
    )
    with pytest.raises(ValueError, match="needs the statistic received_attention"):
        bare.cache(squeezed.H2O())


# --- Hybrids ------------------------------------------------------------------------------------------------


def test_dense_layers_read_everything_and_the_others_the_rest(model, ctx):
    method = squeezed.Oracle(sparsity=0.8, dense_layers=2)
    cache = first_pass(model, ctx, method, random_ids(9, 1))
    shares = [reads.per_head().mean().item() for reads in cache.reads]
    assert shares[:2] == [1.0, 1.0]
    assert shares[2] == pytest.approx((100 + 0.2 * 513) / 613, abs=0.005)
