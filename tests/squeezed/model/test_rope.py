"""RoPE of every type: one pass over the whole length is the measure, and nothing that ran before counts."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import squeezed
from squeezed.model import families, fingerprint, rope
from squeezed.model.prefill import prefill
from tests.squeezed.conftest import VOCAB, random_ids

SWITCH, OBSERVED, NEW = (
    150,
    20,
    3,
)  # tokens: where factors change, the observation window, an answer
HALF = 8  # of a head's size of 16: as many factors
BELOW, ABOVE = 110, 190  # contexts on either side of the switch
LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * HALF,
    "long_factor": [1.0 + 3 * i for i in range(HALF)],
    "original_max_position_embeddings": SWITCH,
    "factor": 4.0,
}
MSCALE = {"short_mscale": 1.0, "long_mscale": 1.7}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 8.0}


def build(model_type="llama", layers=2, **changes):
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type,
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=None,
        **{"max_position_embeddings": 600, **changes},
    )
    return AutoModelForCausalLM.from_config(config).eval()


def longrope(model_type="phi3"):
    moe = {"num_local_experts": 2, "num_experts_per_tok": 1} if model_type == "phimoe" else {}
    scale = MSCALE if model_type == "phimoe" else {}
    top = {"original_max_position_embeddings": SWITCH} if model_type == "phi3" else {}
    return build(model_type, rope_parameters={**LONG, **scale}, **moe, **top)


def single_pass(model, ids, start):
    """Logits of the model's own attention, one pass, from position ``start`` on."""
    with torch.inference_mode():
        return model(ids[None]).logits[0, start:]


def ours(model, ctx, question):
    with torch.inference_mode():
        return model(question[None], past_key_values=ctx.cache(squeezed.Full())).logits[0]


def prepare(model, ids):
    return squeezed.prepare(model, ids, window=OBSERVED)


@pytest.mark.parametrize("model_type", ["phi3", "phimoe", "llama"])
@pytest.mark.parametrize("context", [BELOW, ABOVE])
def test_longrope_equals_one_pass_on_either_side_of_the_switch(model_type, context):
    model = longrope(model_type)
    ids, questions = random_ids(context, seed=1), [random_ids(n, seed=n) for n in (9, 4)]
    want = [single_pass(model, torch.cat([ids, each]), context) for each in questions]
    prompt = torch.cat([ids, questions[0]])[None]
    tokens = model.generate(prompt, max_new_tokens=NEW, do_sample=False)[0, -NEW:].tolist()
    ctx = prepare(model, ids)
    for question, logits in zip(questions, want, strict=True):
        assert (ours(model, ctx, question) - logits).abs().max() <= 1e-4
    settings = {"method": squeezed.Full(), "max_new_tokens": NEW}
    batch = squeezed.generate(model, ctx, questions, **settings).sequences
    assert batch[0].tolist() == tokens
    alone = squeezed.generate(model, ctx, questions[1], **settings).sequences
    assert batch[1].tolist() == alone[0].tolist()
    cache = ctx.cache(squeezed.Full())
    got = model.generate(prompt, past_key_values=cache, max_new_tokens=NEW, do_sample=False)
    assert got[0, -NEW:].tolist() == tokens


@pytest.mark.parametrize("model_type", ["phi3", "phimoe", "llama"])
def test_chunks_of_a_prefill_are_rotated_as_the_whole(model_type):
    model = longrope(model_type)
    prepare(model, random_ids(BELOW, seed=1))
    ids = random_ids(ABOVE, seed=2)
    whole, parts = (prefill(model, ids, OBSERVED, chunk=chunk) for chunk in (10_000, 64))
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a.keys, b.keys, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(a.queries, b.queries, rtol=1e-3, atol=1e-4)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_real_prefill_of_two_chunks_across_the_switch():
    parameters = {**LONG, "original_max_position_embeddings": 2050}
    model = build(
        "phi3",
        layers=1,
        max_position_embeddings=4096,
        original_max_position_embeddings=2050,
        rope_parameters=parameters,
    )
    ids = random_ids(2109, seed=1)
    want = single_pass(model, ids, 2100)
    ctx = prepare(model, ids[:2100])
    assert (ours(model, ctx, ids[2100:]) - want).abs().max() <= 1e-4


def test_the_last_length_below_the_switch_is_answered_and_the_first_above_refused():
    model = longrope()
    ctx = prepare(model, random_ids(SWITCH - 10, seed=1))
    question = random_ids(8, seed=2)
    settings = {"method": squeezed.Full(), "max_new_tokens": NEW}
    squeezed.generate(model, ctx, question, **settings)  # 2 of 3 new tokens are fed: 150 in all
    longer = random_ids(9, seed=3)
    for each in (longer, [question, longer]):
        with pytest.raises(squeezed.UnsupportedModelError) as refused:
            squeezed.generate(model, ctx, each, **settings)
        said = str(refused.value)
        assert "phi3 has LongRoPE" in said
        assert "151 tokens on" in said
        assert "context of 140 tokens" in said
        assert "use 1 tokens less" in said


@pytest.mark.parametrize("model_type", ["phi3", "phimoe", "llama"])
def test_plain_generate_across_the_switch_is_refused_before_it_drops_the_cache(model_type):
    model = longrope(model_type)
    ctx = prepare(model, random_ids(SWITCH - 10, seed=1))
    for question, new in ((20, 2), (5, 20)):
        prompt = torch.cat([ctx.ids, random_ids(question, seed=2)])[None]
        cache = ctx.cache(squeezed.Full())
        with pytest.raises(squeezed.UnsupportedModelError, match="has LongRoPE"):
            model.generate(prompt, past_key_values=cache, max_new_tokens=new, do_sample=False)
        assert cache.reads[0].steps == []


def test_a_forward_pass_across_the_switch_is_refused():
    model = longrope("llama")
    ctx = prepare(model, random_ids(SWITCH - 10, seed=1))
    with pytest.raises(squeezed.UnsupportedModelError, match="it is 151"):
        ours(model, ctx, random_ids(11, seed=2))


# --- dynamic ------------------------------------------------------------------------------------------------


def test_dynamic_rope_below_its_length_depends_on_nothing_that_ran_before():
    ids, question = random_ids(BELOW, seed=1), random_ids(9, seed=2)
    model = build(rope_parameters=DYNAMIC, max_position_embeddings=SWITCH)
    want = single_pass(model, torch.cat([ids, question]), BELOW)
    first = prepare(model, ids)
    before = ours(model, first, question)
    with torch.inference_mode():
        model(random_ids(400, seed=3)[None])  # the module remembers this length
    second = prepare(model, ids)
    with torch.inference_mode():
        model(random_ids(500, seed=4)[None])
    for ctx in (first, second):
        assert torch.equal(ours(model, ctx, question), before)
    assert (before - want).abs().max() <= 1e-4
    for a, b in zip(first.layers, second.layers, strict=True):
        assert torch.equal(a.keys, b.keys)


def test_dynamic_rope_beyond_its_length_is_refused_by_name():
    model = build(rope_parameters=DYNAMIC, max_position_embeddings=SWITCH)
    with pytest.raises(squeezed.UnsupportedModelError, match="llama has dynamic RoPE"):
        prepare(model, random_ids(SWITCH, seed=1))
    ctx = prepare(model, random_ids(SWITCH - 10, seed=1))
    for new in (1, 10):
        with pytest.raises(squeezed.UnsupportedModelError, match="at most 149 tokens"):
            squeezed.generate(
                model,
                ctx,
                random_ids(11 - new, seed=2),
                method=squeezed.Full(),
                max_new_tokens=new + (new > 1),
            )
    with pytest.raises(squeezed.UnsupportedModelError, match="dynamic RoPE"):
        ours(model, ctx, random_ids(10, seed=2))


# --- types that are the same at every length ----------------------------------------------------------------

STATIC = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "yarn": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 60},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 60,
    },
    "proportional": {"rope_type": "proportional", "factor": 2.0, "partial_rotary_factor": 0.5},
}


@pytest.mark.parametrize("kind", STATIC)
def test_static_types_equal_one_pass_at_every_length(kind):
    """All limits of the configuration lie inside the context."""
    parameters = {"rope_theta": 10000.0, **STATIC[kind]}
    model = build(rope_parameters=parameters, max_position_embeddings=100)
    assert rope.switch_of(families.text_config(model)) is None
    ids = random_ids(ABOVE + 20, seed=1)
    want = single_pass(model, ids, ABOVE)
    prefilled = prepare(model, ids[:ABOVE])
    assert (ours(model, prefilled, ids[ABOVE:]) - want).abs().max() <= 1e-4
    whole, parts = (prefill(model, ids, OBSERVED, chunk=chunk) for chunk in (10_000, 64))
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a.keys, b.keys, rtol=1e-3, atol=1e-4)


def test_types_by_layer_and_types_that_are_static_after_all():
    by_layer = AutoConfig.for_model(
        "gemma3_text",
        rope_parameters={
            "full_attention": {**LONG, "original_max_position_embeddings": 90},
            "sliding_attention": LONG,
        },
    )
    assert rope.switch_of(by_layer) == rope.Switch("longrope", 90)
    fixed = AutoConfig.for_model("hunyuan_v1_dense", rope_parameters={**DYNAMIC, "alpha": 100.0})
    assert rope.switch_of(fixed) is None
    assert rope.switch_of(AutoConfig.for_model("gpt2")) is None


@pytest.mark.parametrize(
    "model",
    [longrope, lambda: build(rope_parameters=DYNAMIC)],
    ids=["longrope", "dynamic"],
)
def test_an_index_of_before_one_length_was_held_is_refused(model, tmp_path, monkeypatch):
    # Its keys were rotated chunk by chunk, or by what the process ran before; its identity did not tell.
    model, ids = model(), random_ids(ABOVE, seed=1)
    with monkeypatch.context() as before:
        before.setattr(fingerprint.rope, "switch_of", lambda config: None)
        prepare(model, ids).save(tmp_path / "before")
    with pytest.raises(squeezed.IndexMismatchError, match="other weights, settings or dtype"):
        squeezed.FixedContext.load(tmp_path / "before", model=model)
    prepare(model, ids).save(tmp_path / "now")
    assert squeezed.FixedContext.load(tmp_path / "now", model=model).tokens == ABOVE
