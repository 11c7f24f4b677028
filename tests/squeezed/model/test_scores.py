"""Attention that a model writes out, followed from one product to the other: the same, or refused by name."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import squeezed
from squeezed.check.exactness import Plan, check
from squeezed.check.tiny import VOCABULARY, tiny_config, tiny_model
from squeezed.errors import UnsupportedModelError
from squeezed.model import families
from squeezed.model.prefill import CaptureLayer
from squeezed.model.scores import Followed, Scores
from squeezed.model.shape import indexed_heads
from squeezed.model.tags import Tagged
from tests.squeezed.conftest import random_ids, tiny_llama

B, H, L, D = 1, 4, 7, 8
LOW = torch.finfo(torch.float32).min
SEEN = torch.ones(L, L, dtype=torch.bool).tril()[None, None]
ADDED = torch.zeros(1, 1, L, L).masked_fill(~SEEN, LOW)


def states():
    draw = torch.Generator().manual_seed(1)
    return tuple(torch.randn(B, H, L, D, generator=draw) for _ in range(3))


def flat(*each):
    return tuple(one.reshape(B * H, L, D) for one in each)


# Ways to write attention, as models do. Each takes queries, keys and values ``[B, H, L, D]``.


def divided(q, k, v):
    scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(D)
    return nn.Softmax(dim=-1)(scores + ADDED).to(v.dtype) @ v


def masked_first(q, k, v):
    scores = (q @ k.transpose(2, 3) + ADDED) * (1 / math.sqrt(D))
    return torch.matmul(functional.dropout(scores.softmax(-1), 0.1, training=False), v)


def in_place(q, k, v):
    scores = q @ k.transpose(-1, -2)
    scores /= torch.tensor(math.sqrt(D))
    scores = scores.masked_fill(~SEEN, LOW)
    return functional.softmax(scores.float(), dim=-1).type_as(scores) @ v


def chosen(q, k, v):
    scores = torch.matmul(q * D**-0.5, k.transpose(-1, -2))
    scores = torch.where(SEEN, scores, torch.tensor(LOW))
    return torch.matmul(functional.softmax(scores, dim=3, dtype=torch.float32), v)


def batched(q, k, v):
    q, k, v = flat(q * D**-0.5, k, v)
    scores = torch.bmm(q, k.transpose(1, 2))
    assert scores.size() == (B * H, L, L)
    scores = torch.max(scores.view(B, H, L, L) + ADDED, torch.tensor(LOW)).view(B * H, L, L)
    return torch.bmm(functional.softmax(scores, dim=-1), v).view(B, H, L, D)


def added_to_nothing(q, k, v):
    flat_q, flat_k = flat(q, k)
    nothing = torch.zeros(B * H, L, L)
    scores = torch.baddbmm(nothing, flat_q, flat_k.transpose(1, 2), beta=1.0, alpha=D**-0.5)
    return functional.softmax(scores.view(B, H, L, -1) + ADDED, dim=-1) @ v


def fused(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def fused_with_a_mask(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=ADDED, scale=D**-0.5)


RIGHT = (divided, masked_first, in_place, chosen, batched, added_to_nothing, fused)


def followed(attention, layer=None):
    """What the cache layer is asked for in place of what the code says."""
    queries, keys, values = states()
    layer = layer or CaptureLayer(L, 2, followed=Followed(None))
    with torch.inference_mode():
        found = attention(queries, *layer.update(keys, values))
    return layer, found


@pytest.mark.parametrize("attention", [*RIGHT, fused_with_a_mask])
def test_every_way_to_write_it_gives_the_same(attention):
    layer, found = followed(attention)
    wanted = attention(*states())
    assert type(found) is torch.Tensor
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-6)
    captured = layer.states()
    assert captured.queries.shape == (H, 2, D)
    logits = captured.scale * captured.queries @ captured.keys.transpose(1, 2)
    expected = (states()[0] @ states()[1].transpose(2, 3))[0, :, -2:] * D**-0.5
    assert torch.allclose(logits, expected, atol=1e-6)  # wherever the scale was applied


def test_scores_are_not_held_in_memory():
    def attention(q, k, v):
        scores = q @ k.transpose(2, 3)
        assert isinstance(scores, Scores)
        assert repr(scores) == f"Scores of shape {(B, H, L, L)}"
        with torch._C.DisableTorchFunctionSubclass():
            assert scores.untyped_storage().nbytes() == q.itemsize
        return (scores + ADDED).softmax(-1) @ v

    followed(attention)


def steps(between, behind=lambda weights: weights):
    def attention(q, k, v):
        return behind(between(q @ k.transpose(2, 3)).softmax(-1)) @ v

    return attention


WINDOW = ADDED.masked_fill(torch.ones(L, L).tril(-3).bool(), LOW)
REFUSED = {
    "a bias": (steps(lambda s: s + torch.linspace(0, 1, L)), "adds a bias"),
    "a bias in a product": (
        lambda q, k, v: torch.baddbmm(torch.ones(1, L, L), q[0], k[0].transpose(1, 2)),
        "adds a bias",
    ),
    "a number": (steps(lambda s: s + 1.0), "adds to its scores what is no mask"),
    "a scale for each head": (steps(lambda s: s * torch.ones(H, 1, 1)), "multiplies single scores"),
    "a sign": (steps(lambda s: s / -2.0), "multiplies its weights"),
    "a bounded score": (steps(lambda s: s.masked_fill(~SEEN, -1.0)), "replaces single scores"),
    "another mask for a head": (
        steps(lambda s: s + ADDED.repeat(1, H, 1, 1).index_fill(1, torch.tensor(0), 0)),
        "masks each head",
    ),
    "a window": (steps(lambda s: s + WINDOW), "all tokens before it and no others"),
    "what comes later": (steps(lambda s: s + 0 * ADDED), "all tokens before it and no others"),
    "both directions": (steps(lambda s: s), "in both directions"),
    "a fused one in both directions": (
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v),
        "in both directions",
    ),
    "a function": (steps(torch.tanh), "'tanh'"),
    "another softmax": (lambda q, k, v: (q @ k.transpose(2, 3)).softmax(1), "another kind"),
    "no softmax": (lambda q, k, v: (q @ k.transpose(2, 3) + ADDED) @ v, "before a softmax"),
    "dropout": (
        steps(lambda s: s + ADDED, lambda w: functional.dropout(w, 0.1)),
        "training mode",
    ),
    "weights": (steps(lambda s: s + ADDED, lambda w: w * 2), "multiplies its weights"),
    "other values": (
        lambda q, k, v: (q @ k.transpose(2, 3) + ADDED).softmax(-1) @ q,
        "do not come from its cache",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_name(name):
    attention, reason = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=reason):
        followed(attention)


def test_keys_of_a_model_that_calls_the_interface_are_not_followed():
    _, found = followed(divided, CaptureLayer(L, 2))
    assert isinstance(found, Tagged)


# --- Models ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gptj", "xglm", "git"])
def test_models_that_write_it_out_are_the_models_own_pass(kind):
    verdict = check(tiny_model(tiny_config(kind)), Plan(60, (4, 9), 20, 25, 2, 4, VOCABULARY))
    assert verdict.outcome == "exact", verdict.line()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_model_of_two_ways_is_followed_in_both(attention):
    # Falcon calls PyTorch's function or writes it out, and shares one KV head among all.
    model = tiny_model(tiny_config("falcon"), attention)
    verdict = check(model, Plan(60, (4, 9), 20, 25, 2, 4, VOCABULARY))
    assert verdict.outcome == "exact", verdict.line()
    assert not families.calls_interface(model)
    assert families.calls_interface(tiny_llama())


def test_the_switch_of_a_rope_is_watched_in_followed_models_too():
    config = tiny_config("falcon")
    config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    config.max_position_embeddings = 70
    model = tiny_model(config)
    ctx = squeezed.prepare(model, random_ids(60, seed=1) % VOCABULARY, window=20)
    assert [each.heads for each in ctx.layers] == [each.kv_heads for each in indexed_heads(config)]
    question = random_ids(12, seed=2)[None] % VOCABULARY
    with torch.inference_mode(), pytest.raises(UnsupportedModelError, match="dynamic RoPE"):
        model(question, past_key_values=ctx.cache(squeezed.Full()))


def test_positions_inside_the_context_are_refused_in_followed_models_too():
    model = tiny_model(tiny_config("gptj"))
    ctx = squeezed.prepare(model, random_ids(60, seed=1) % VOCABULARY, window=20)
    ids, places = random_ids(4, seed=2)[None] % VOCABULARY, torch.arange(30, 34)[None]
    with torch.inference_mode(), pytest.raises(ValueError, match="fed at position 30"):
        model(ids, position_ids=places, past_key_values=ctx.cache(squeezed.Full()))


def test_a_model_that_moves_the_padding_answers_one_length_at_a_time():
    model = tiny_model(tiny_config("git"))  # it makes room for an image that is not there
    ctx = squeezed.prepare(model, random_ids(60, seed=1) % VOCABULARY, window=20)
    asked = [random_ids(n, seed=n) % VOCABULARY for n in (5, 9)]
    with pytest.raises(UnsupportedModelError, match="cannot be answered in one batch"):
        squeezed.generate(model, ctx, asked, method=squeezed.Full(), max_new_tokens=1)


def test_attention_by_blocks_is_refused_where_a_layer_has_it():
    model = tiny_model(tiny_config("big_bird", attention_type="block_sparse"))
    with pytest.raises(UnsupportedModelError, match="load it with attention_type='original_full'"):
        squeezed.prepare(model, random_ids(60, seed=1) % VOCABULARY, window=20)
