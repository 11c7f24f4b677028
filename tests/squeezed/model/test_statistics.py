"""Statistics of the prefill, each against the same computed in another way."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Cohere2Config,
    Gemma3TextConfig,
    GlmConfig,
    GPT2Config,
    PhiConfig,
)

import squeezed
from squeezed.errors import UnsupportedModelError
from squeezed.model.rotation import Rotation
from tests.squeezed.conftest import STATISTICS, attention_weights, random_ids, tiny_llama

SMALL = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 1,
    "eos_token_id": None,
}


def hooked(model, ids, projection="q_proj"):
    """What a projection of the first layer gives in one dense pass, by head."""
    seen = {}
    layer = model.model.layers[0].self_attn
    hook = getattr(layer, projection).register_forward_hook(
        lambda m, a, out: seen.update(states=out[0])
    )
    with torch.inference_mode():
        model(ids[None])
    hook.remove()
    return seen["states"].unflatten(1, (-1, layer.head_dim)).transpose(0, 1)  # [heads, N, D]


def of_family(family):
    torch.manual_seed(0)
    if family == "llama":
        return tiny_llama()
    config = {"phi": PhiConfig, "glm": GlmConfig}[family](**SMALL)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("family", ["llama", "phi", "glm"])
def test_queries_before_the_rotary_embedding_are_those_of_the_projection(family):
    """Half-and-half, partial, and interleaved rotary embeddings, all by the model's own function."""
    model = of_family(family)
    ids = random_ids(220, seed=1)
    ctx = squeezed.prepare(
        model, ids, chunk=64, statistics=("expected_query_mean", "expected_query_covariance")
    )
    plain = hooked(model, ids)[:, 4:].float()
    mean = plain.mean(1)
    centred = plain - mean[:, None]
    covariance = centred.transpose(1, 2) @ centred / plain.shape[1]
    turn = Rotation(model).mean_turn(model.model.layers[0].self_attn, plain.shape[2], 220, 512)
    found = ctx.layers[0].statistics
    close = {"rtol": 1e-3, "atol": 1e-4 * float(covariance.abs().max())}
    torch.testing.assert_close(found["expected_query_mean"], mean @ turn.T, **close)
    torch.testing.assert_close(
        found["expected_query_covariance"], turn @ covariance @ turn.T, **close
    )


@pytest.mark.parametrize("family", ["llama", "phi", "glm"])
def test_the_mean_turn_is_the_average_of_the_turns_of_all_places(family):
    model = of_family(family)
    module, rotation = model.model.layers[0].self_attn, Rotation(model)
    eye = torch.eye(module.head_dim)[None]
    turns = [rotation.turned(module, eye, place)[0].T for place in range(220, 220 + 512)]
    found = rotation.mean_turn(module, module.head_dim, 220, 512)
    torch.testing.assert_close(found, torch.stack(turns).mean(0), rtol=1e-4, atol=1e-5)
    assert (found - turns[0]).abs().max() > 0.1


@pytest.mark.parametrize("family", ["llama", "phi", "glm"])
def test_turned_keys_are_those_of_the_projection_at_one_position(family):
    """For the token behind the context their logits are those of Multipole's keys at 0 and query at 2,048."""
    model = of_family(family)
    ctx = squeezed.prepare(
        model, random_ids(220, seed=1), chunk=64, window=20, statistics=("turned_keys",)
    )
    layer = ctx.layers[0]
    turned = layer.in_place_order(layer.statistics["turned_keys"])
    plain = hooked(model, ctx.ids, "k_proj")[:, :200].float()
    module, rotation = model.model.layers[0].self_attn, Rotation(model)
    query = torch.randn(
        plain.shape[0], 1, plain.shape[2], generator=torch.Generator().manual_seed(0)
    )
    behind, far = (rotation.turned(module, query, place) for place in (220, 2048))
    want = far @ rotation.turned(module, plain, 0).transpose(1, 2)
    torch.testing.assert_close(behind @ turned.transpose(1, 2), want, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(rotation.turned(module, plain, 0), plain)  # position 0 is no turn


def test_a_model_without_rotary_embedding_is_refused_by_name():
    model = AutoModelForCausalLM.from_config(
        GPT2Config(vocab_size=300, n_embd=64, n_layer=2, n_head=4, n_positions=512)
    )
    with pytest.raises(UnsupportedModelError, match="no rotary embedding"):
        squeezed.prepare(model, random_ids(200, 1), statistics=("expected_query_mean",))


def test_a_model_with_layers_of_no_rotary_embedding_is_refused_by_name():
    torch.manual_seed(0)
    config = Cohere2Config(
        **SMALL, sliding_window=32, layer_types=["sliding_attention", "full_attention"]
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(UnsupportedModelError, match="does not turn them as the others do"):
        squeezed.prepare(model, random_ids(200, 1), statistics=("expected_query_mean",))


def test_replay_works_beside_sliding_windows():
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        **SMALL,
        head_dim=16,
        sliding_window=32,
        layer_types=["sliding_attention", "full_attention"],
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    ctx = squeezed.prepare(model, random_ids(200, 1), statistics=STATISTICS)
    (layer,) = ctx.layers
    assert bool((layer.statistics["replay_attention"].sum(1) > 0).all())
    out = squeezed.generate(
        model, ctx, random_ids(5, 2), method=squeezed.KVzip(sparsity=0.5), max_new_tokens=2
    )
    assert out.stats.kv_budget < 1


def test_output_norms_are_those_of_the_values_behind_the_projection(model, ctx):
    layer = ctx.layers[1]
    weight = model.model.layers[1].self_attn.o_proj.weight.unflatten(1, (4, 16))
    values = layer.values[:, : layer.clustered]
    want = torch.stack(
        [
            torch.stack(
                [(values[h // 2] @ weight[:, h].T).abs().sum(-1) for h in (2 * kv, 2 * kv + 1)]
            ).mean(0)
            for kv in range(2)
        ]
    )
    torch.testing.assert_close(layer.statistics["output_norm"], want, rtol=1e-4, atol=1e-4)


def test_replay_scores_are_the_largest_weights_of_a_dense_second_reading(model, ctx):
    """Against eager attention over context and repetition, normalised over chunk, replay and nothing else.

    The context is shorter than a chunk, so the chunk is all of it, and the softmax is the model's own.
    """
    matrices = attention_weights(model, torch.cat([ctx.ids, ctx.ids]))
    count = len(ctx.ids)
    for layer, matrix in zip(ctx.layers, matrices, strict=True):
        want = matrix[0, :, count:, : layer.clustered].unflatten(0, (2, 2)).amax((1, 2))
        found = layer.in_place_order(layer.statistics["replay_attention"])
        torch.testing.assert_close(found, want, rtol=1e-3, atol=1e-4)


def test_replay_scores_are_weights_of_every_clustered_key(ctx):
    scores = ctx.layers[0].statistics["replay_attention"]
    assert scores.shape == (2, 513)
    assert bool(((scores >= 0) & (scores <= 1)).all())


def test_chunks_do_not_change_statistics(model, ctx):
    other = squeezed.prepare(model, ctx.ids, chunk=97, statistics=STATISTICS)
    for mine, theirs in zip(ctx.layers, other.layers, strict=True):
        assert mine.statistics.keys() == theirs.statistics.keys() == set(STATISTICS)
        for name, found in mine.statistics.items():
            if name != "replay_attention":
                torch.testing.assert_close(found, theirs.statistics[name], rtol=1e-3, atol=1e-3)


def test_nothing_is_collected_unasked(model):
    ctx = squeezed.prepare(model, random_ids(150, seed=1))
    assert all(layer.statistics == {} for layer in ctx.layers)
