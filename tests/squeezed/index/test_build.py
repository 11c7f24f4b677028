"""The index of one layer: cluster order, centroids, and that the order of fixed keys changes nothing."""

import dataclasses
import itertools

import pytest
import torch

import squeezed
from squeezed.index.build import build_layer, build_levels
from squeezed.model.prefill import prefill
from squeezed.model.states import LayerStates
from squeezed.model.statistics import STATISTICS
from tests.squeezed.conftest import (
    context_of,
    kept_places,
    layer_of,
    logits,
    random_ids,
    tiny_llama,
)

QUESTION = random_ids(14, seed=21)


def test_rows_are_the_prefilled_keys_in_cluster_order(model, ctx):
    states = prefill(model, ctx.ids, 100)
    for layer, state in zip(ctx.layers, states, strict=True):
        for head in range(2):
            order = torch.cat([layer.positions[head].long(), torch.arange(513, 613)])
            torch.testing.assert_close(layer.keys[head], state.keys[head, order])
            torch.testing.assert_close(layer.values[head], state.values[head, order])
        torch.testing.assert_close(layer.queries, state.queries)


def test_centroids_are_means_of_the_keys_in_their_range(ctx):
    for layer in ctx.layers:
        level = layer.levels[-1]
        assert level.offsets.dtype == torch.int32
        assert level.centroids.dtype == torch.bfloat16
        assert level.offsets[:, 0].tolist() == [0, 0]
        assert level.offsets[:, -1].tolist() == [513, 513]
        for head in range(2):
            bounds = level.offsets[head].tolist()
            for i, (start, end) in enumerate(itertools.pairwise(bounds)):
                assert level.counts[head, i] == end - start > 0
                mean = layer.keys[head, start:end].mean(0)
                torch.testing.assert_close(
                    level.centroids[head, i].float(), mean, rtol=2**-8, atol=1e-6
                )


def test_in_place_order_undoes_the_cluster_order():
    layer = layer_of([5.0, 6, 7, 8, 0], positions=[2, 0, 3, 1], offsets=((0, 2, 4),), window=1)
    assert layer.in_place_order(layer.keys[:, :4])[0, :, 0].tolist() == [6, 8, 5, 7]
    assert layer.in_place_order(torch.tensor([[1, 2, 3, 4]])).tolist() == [[2, 4, 1, 3]]


def permuted(ctx, seed):
    """The same context, clusters reordered inside their parents and keys inside their clusters."""
    generator = torch.Generator().manual_seed(seed)

    def shuffled(rows: torch.Tensor) -> torch.Tensor:
        return rows[torch.randperm(len(rows), generator=generator)]

    layers = []
    for layer in ctx.layers:
        by_head = [_permute_head(layer, head, shuffled) for head in range(layer.heads)]
        index = torch.stack([rows for rows, _ in by_head])
        offsets = [
            torch.stack([each[depth] for _, each in by_head]) for depth in range(len(layer.levels))
        ]
        window = torch.arange(layer.clustered, layer.tokens).expand(layer.heads, -1)
        spread = torch.cat([index, window], dim=1).unsqueeze(-1).expand_as(layer.keys)
        keys = layer.keys.gather(1, spread)
        layers.append(
            dataclasses.replace(
                layer,
                keys=keys,
                values=layer.values.gather(1, spread),
                positions=layer.positions.gather(1, index),
                levels=build_levels(keys[:, : layer.clustered], tuple(offsets)),
                statistics={
                    name: torch.take_along_dim(
                        each, index.view(*index.shape, *[1] * (each.ndim - 2)), 1
                    )
                    if STATISTICS[name].by_key
                    else each
                    for name, each in layer.statistics.items()
                },
            )
        )
    return dataclasses.replace(ctx, layers=tuple(layers))


def _permute_head(layer, head, shuffled):
    """New order of the rows of one head, and new offsets of every level."""
    groups = [shuffled(torch.arange(layer.levels[0].clusters))]
    offsets = []
    for depth, level in enumerate(layer.levels):
        bounds = level.offsets[head]
        parts = [shuffled(torch.arange(int(bounds[i]), int(bounds[i + 1]))) for i in groups[depth]]
        sizes = torch.tensor([0] + [len(part) for part in parts])
        offsets.append(sizes.cumsum(0).int())
        groups.append(torch.cat(parts))
    return groups[-1], offsets


PERMUTED = [
    squeezed.Full(),
    squeezed.Squeezed(sparsity=0.7),
    squeezed.Squeezed(sparsity=0.7, rule="topk"),
    squeezed.Squeezed(sparsity=0.7, rule="topk", residual=True),
    squeezed.Oracle(sparsity=0.7),
    squeezed.Quest(sparsity=0.7),
    squeezed.StreamingLLM(sparsity=0.7),
    squeezed.SnapKV(sparsity=0.7),
    squeezed.H2O(sparsity=0.7),
    squeezed.Multipole(sparsity=0.7),
    squeezed.SparQ(sparsity=0.7, mean_value=True),
    squeezed.Random(sparsity=0.7),
]


@pytest.mark.parametrize(
    "method", PERMUTED, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'rule', '')}"
)
def test_permuting_the_fixed_keys_changes_nothing(model, ctx, method):
    want = logits(model, ctx, method, QUESTION)
    for seed in range(2):
        got = logits(model, permuted(ctx, seed), method, QUESTION)
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("depth", [2, 3])
def test_permuting_inside_a_hierarchy_changes_nothing(model, deep, depth):
    for method in PERMUTED[1:4]:
        want = logits(model, deep[depth], method, QUESTION)
        got = logits(model, permuted(deep[depth], depth), method, QUESTION)
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_same_seed_same_index(model, ctx):
    again = squeezed.prepare(model, ctx.ids.tolist())
    other = squeezed.prepare(model, ctx.ids, seed=1)
    for a, b in zip(ctx.layers, again.layers, strict=True):
        assert torch.equal(a.positions, b.positions)
        assert torch.equal(a.levels[0].centroids, b.levels[0].centroids)
    assert any(
        not torch.equal(a.positions, b.positions)
        for a, b in zip(ctx.layers, other.layers, strict=True)
    )


@pytest.mark.parametrize("size", [64, 128])
def test_index_is_at_most_four_per_cent_of_the_cache(size):
    """At 5 % centroids, 4K tokens, head sizes of large models; positions and curves included."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=300,
        hidden_size=2 * size,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).bfloat16().eval()
    ctx = squeezed.prepare(model, random_ids(4096, seed=1))
    assert ctx.kv_bytes == 2 * 2 * 2 * 4096 * size * 2
    layer = ctx.layers[0]
    least = layer.levels[0].centroids.nbytes * 2  # two layers' centroids alone
    assert least < ctx.index_bytes <= 0.04 * ctx.kv_bytes


def test_float16_keys_have_float16_centroids():
    ctx = squeezed.prepare(tiny_llama(dtype=torch.float16), random_ids(200, seed=1))
    assert ctx.layers[0].levels[0].centroids.dtype == torch.float16


@pytest.mark.parametrize("tokens", [32_767, 32_768, 32_800])
def test_positions_can_be_compared_with_the_length_of_the_context(tokens):
    """At 32,768 tokens the length itself does not fit into 16 bits, though every position does."""
    states = LayerStates(
        keys=torch.randn(1, tokens, 2, generator=torch.Generator().manual_seed(0)),
        values=torch.zeros(1, tokens, 2),
        queries=torch.zeros(1, 100, 2),
        scale=1.0,
        softcap=None,
        statistics={"received_attention": torch.full((1, tokens), 1.0)},
    )
    layer = build_layer(states, (0.0005,), 100, 0)
    assert bool((layer.positions < tokens).all())
    assert bool((tokens - layer.positions > 0).all())
    assert bool(layer.among_first(100_000).all())
    # The mean over the queries behind a key: the later the key, the fewer they are.
    kept = kept_places(context_of(layer), squeezed.ObservedAttention(kv_tokens=110), [[0.0, 0.0]])
    assert kept == list(range(tokens - 110, tokens - 100))
    assert squeezed.DuoAttention(local=100_000).kept_by_all(layer).all()
