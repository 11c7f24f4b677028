"""Fixed contexts: what ``prepare`` takes and refuses, and what belongs to which context."""

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

import squeezed
from squeezed.check.tiny import VOCABULARY, tiny_config, tiny_model
from squeezed.index.settings import Conditions
from squeezed.model import attention
from tests.squeezed.conftest import logits, random_ids

QUESTION = random_ids(14, seed=21)


@pytest.mark.parametrize(
    ("ids", "settings", "message"),
    [
        (range(100), {}, "100 tokens, not more than the observation window of 100"),
        (range(20), {"window": 50}, "20 tokens"),
        (range(20), {"window": 0}, "window is 0"),
        ([[1, 2], [3, 4]], {}, "one context"),
        (range(200), {"levels": ()}, "levels is"),
        (range(200), {"levels": (1.5,)}, "levels is"),
        (range(200), {"levels": (0.05, 0.01)}, "coarse to fine"),
        (range(200), {"levels": (0.05, 0.05)}, "coarse to fine"),
        (range(200), {"strategy": "sideways"}, "strategy"),
        (range(200), {"balance": 0.5}, "balance"),
    ],
)
def test_bad_input_is_named(model, ids, settings, message):
    with pytest.raises(ValueError, match=message):
        squeezed.prepare(model, torch.tensor(list(ids)), **settings)


@pytest.mark.parametrize("ids", [list(range(2, 202)), torch.arange(2, 202)[None]])
def test_shapes_of_the_context(model, ids):
    ctx = squeezed.prepare(model, ids)
    assert ctx.tokens == 200
    assert ctx.ids.dtype == torch.int64
    assert ctx.ids.shape == (200,)


def test_settings_are_remembered(model):
    ctx = squeezed.prepare(
        model, random_ids(120, seed=1), (0.1, 0.5), window=20, seed=3, balance=4.0
    )
    assert ctx.settings.levels == (0.1, 0.5)
    assert (ctx.settings.window, ctx.settings.seed, ctx.settings.balance) == (20, 3, 4.0)
    assert ctx.settings.conditions == Conditions((0.5,))
    assert [layer.window for layer in ctx.layers] == [20, 20, 20]


def test_bytes_are_those_of_the_tensors(ctx):
    assert ctx.kv_bytes == 2 * 3 * 2 * 613 * 16 * 4
    tensors = [t for layer in ctx.layers for t in layer.index_tensors()]
    inputs, tokens = ctx.calibrations(Conditions())
    assert inputs is tokens
    assert ctx.index_bytes == sum(t.nbytes for t in [*tensors, *inputs.tensors()])


def test_calibrations_are_made_once_and_belong_to_their_context(model, ctx):
    assert ctx.calibrations(Conditions()) is ctx.calibrations(Conditions())
    calibrated = ctx.calibrate(model, [random_ids(5, seed=1)], 2)
    assert calibrated.calibrations(Conditions()) is not ctx.calibrations(Conditions())
    assert ctx.calibrated_on == "window"


def test_a_context_is_calibrated_on_evenly_spaced_pieces_of_itself(model, ctx):
    own = ctx.calibrate_on_itself(model, pieces=2, new_tokens=2)
    half = (len(ctx.ids) - 25) // 2
    by_hand = ctx.calibrate(model, [ctx.ids[:25], ctx.ids[half : half + 25]], 2)
    assert own.calibrated_on == "inputs"
    found, expected = own.calibrations(Conditions()), by_hand.calibrations(Conditions())
    for one, other in zip(found, expected, strict=True):
        assert all(map(torch.equal, one.tensors(), other.tensors()))


@pytest.mark.parametrize("pieces", [0, -1])
def test_a_context_cannot_be_calibrated_on_no_piece(model, ctx, pieces):
    with pytest.raises(ValueError, match="expected at least 1"):
        ctx.calibrate_on_itself(model, pieces)


def test_what_the_coarse_levels_do_matters_only_where_there_are_some():
    assert Conditions((), "layer") == Conditions((), "topk")
    assert Conditions((0.5,), "layer") != Conditions((0.5,), "topk")


def test_mistral_without_a_sliding_window_works():
    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=None,
    )
    model = MistralForCausalLM(config).eval()
    ids = torch.cat([random_ids(250, seed=1), QUESTION])
    with torch.inference_mode():
        want = model(ids[None]).logits[0, 250:]
    ctx = squeezed.prepare(model, ids[:250])
    got = logits(model, ctx, squeezed.Full(), QUESTION)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_changed_scores_are_refused_when_they_reach_the_engine(model, ctx):
    layer = model.model.layers[0].self_attn
    cache = ctx.cache(squeezed.Full())
    states = torch.zeros(1, 2, 3, 16)
    keys, values = cache.update(states, states, 0)
    bias = torch.ones(1, 4, 3, 3)
    with pytest.raises(squeezed.UnsupportedModelError, match="position_bias"):
        attention.forward(layer, torch.zeros(1, 4, 3, 16), keys, values, None, position_bias=bias)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strategy": "sideways"}, "expected one of bottom-up, top-down"),
        ({"balance": 0.5}, "at least 1"),
        ({"levels": (0.2, 0.1)}, "coarse to fine"),
        ({"statistics": ("entropy",)}, "statistics of the prefill are"),
    ],
)
def test_a_wrong_setting_is_refused_before_the_model_reads_anything(
    model, monkeypatch, wrong, message
):
    def read(*_):
        raise AssertionError("the model reads the context")

    monkeypatch.setattr("squeezed.fixed_context.prefill", read)
    with pytest.raises(ValueError, match=message):
        squeezed.prepare(model, random_ids(200, seed=1), **wrong)


@pytest.mark.parametrize(("tokens", "fits"), [(256, True), (257, False)])
def test_a_replay_needs_the_context_twice_and_no_more(monkeypatch, tokens, fits):
    model = tiny_model(tiny_config("gpt2", n_positions=512))
    ids, needs = random_ids(tokens, seed=1) % VOCABULARY, squeezed.KVzip.needs
    if fits:
        ctx = squeezed.prepare(model, ids, statistics=needs)
        assert bool(ctx.layers[0].statistics["replay_attention"].any())
        return
    monkeypatch.setattr("squeezed.fixed_context.prefill", None)  # refused before
    with pytest.raises(
        ValueError, match="a table of positions for 512 tokens, and 514 are asked for"
    ):
        squeezed.prepare(model, ids, statistics=needs)


def test_without_queries_the_replay_stays(tmp_path, model):
    ids, needs = random_ids(200, seed=1), squeezed.KVzip.needs
    ctx = squeezed.prepare(model, ids, statistics=needs, keep_queries=False)
    loaded = squeezed.FixedContext.load(ctx.save(tmp_path / "index"), model=model)
    for each in (ctx, loaded):
        assert each.layers[0].queries is None
        squeezed.generate(model, each, random_ids(5, seed=2), method=squeezed.KVzip(sparsity=0.5))
