"""The engine against transformers' own attention on the same tokens."""

import contextlib

import pytest
import torch

import squeezed
from tests.squeezed.conftest import logits, random_ids, tiny_llama


@contextlib.contextmanager
def sdpa(model):
    """transformers' own attention for a while; sets back what was there."""
    before = model.config._attn_implementation
    model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def reference_logits(model, ids):
    with sdpa(model), torch.inference_mode():
        return model(ids[None]).logits[0]


KEEPS_ALL = [
    squeezed.Full(),
    squeezed.Squeezed(sparsity=0),
    squeezed.Squeezed(sparsity=0, rule="topk"),
    squeezed.Squeezed(sparsity=0, rule="topk", block=7),
    squeezed.Squeezed(sparsity=0, rule="topk", residual=True),
    squeezed.Squeezed(rule="topp", top_p=1.0),
    squeezed.Squeezed(sparsity=0.9, dense_layers=3),
    squeezed.Oracle(sparsity=0),
    squeezed.Quest(sparsity=0),
    squeezed.StreamingLLM(sparsity=0),
    squeezed.SnapKV(sparsity=0),
    squeezed.H2O(sparsity=0),
    squeezed.Random(sparsity=0),
]


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("levels", [(0.05,), (0.02, 0.1)], ids=str)
def test_nothing_dropped_equals_sdpa_in_float32(kv_heads, levels):
    model = tiny_llama(kv_heads, seed=kv_heads)
    context, question = random_ids(519, seed=2), random_ids(33, seed=3)
    want = reference_logits(model, torch.cat([context, question]))[len(context) :]
    ctx = squeezed.prepare(model, context, levels, statistics=("received_attention",))
    for method in KEEPS_ALL:
        got = logits(model, ctx, method, question)
        assert (got - want).abs().max() <= 1e-4, method


def test_bfloat16_errs_no_more_than_sdpa_does():
    context, question = random_ids(400, seed=2), random_ids(21, seed=3)
    ids = torch.cat([context, question])
    exact = reference_logits(tiny_llama(dtype=torch.float64), ids)[len(context) :]
    model = tiny_llama(dtype=torch.bfloat16)
    plain = reference_logits(model, ids)[len(context) :].double()
    ours = logits(model, squeezed.prepare(model, context), squeezed.Full(), question).double()
    assert (ours - exact).norm() <= 1.5 * (plain - exact).norm()


@pytest.mark.parametrize("method", [squeezed.Full(), squeezed.Squeezed(sparsity=0)], ids=str)
def test_same_greedy_tokens_on_twenty_prompts(model, method):
    context = random_ids(350, seed=5)
    ctx = squeezed.prepare(model, context)
    for seed in range(20):
        question = random_ids(5 + seed, seed=100 + seed)
        ids = torch.cat([context, question])[None]
        with sdpa(model):
            want = model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
        got = squeezed.generate(model, ctx, question, method=method, max_new_tokens=8)
        assert got.sequences[0].tolist() == want.tolist()


@pytest.mark.parametrize(
    "method",
    [squeezed.Full(), squeezed.Squeezed(sparsity=0.8, rule="topk"), squeezed.StreamingLLM()],
    ids=str,
)
def test_plain_generate_with_the_cache_equals_our_loop(model, ctx, method):
    question = random_ids(13, seed=9)
    ids = torch.cat([ctx.ids, question])[None]
    plain = model.generate(
        ids, past_key_values=ctx.cache(method), max_new_tokens=8, do_sample=False
    )
    ours = squeezed.generate(model, ctx, question, method=method, max_new_tokens=8)
    assert ours.sequences[0].tolist() == plain[0, ids.shape[1] :].tolist()


def test_one_pass_over_the_user_input_equals_token_by_token_when_nothing_is_dropped(model, ctx):
    question = random_ids(9, seed=4)
    whole = logits(model, ctx, squeezed.Full(), question)
    cache = ctx.cache(squeezed.Full())
    with torch.inference_mode():
        steps = [model(t[None, None], past_key_values=cache).logits[0] for t in question]
    torch.testing.assert_close(torch.cat(steps), whole, rtol=1e-4, atol=1e-4)


def test_other_caches_keep_transformers_own_attention(model):
    ids = random_ids(40, seed=6)
    want = reference_logits(model, ids)
    squeezed.prepare(model, random_ids(200, seed=7))
    assert model.config._attn_implementation == "squeezed"
    with torch.inference_mode():
        got = model(ids[None]).logits[0]
        padded = model(
            torch.cat([torch.ones(3, dtype=torch.int64), ids])[None],
            attention_mask=torch.cat([torch.zeros(3), torch.ones(40)])[None].long(),
            position_ids=torch.cat([torch.zeros(3), torch.arange(40)])[None].long(),
        ).logits[0, 3:]
    assert torch.equal(got, want)
    torch.testing.assert_close(padded, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_cache_on_a_model_switched_back_fails_loudly(model, ctx, implementation):
    # Otherwise the user input would attend to itself alone, with no error.
    before = model.config._attn_implementation
    model.set_attn_implementation(implementation)
    try:
        with pytest.raises(squeezed.UnsupportedModelError, match="set_attn_implementation"):
            model(random_ids(5, seed=1)[None], past_key_values=ctx.cache(squeezed.Full()))
    finally:
        model.set_attn_implementation(before)


def test_two_contexts_and_methods_do_not_touch_each_other(model, ctx):
    question = random_ids(11, seed=8)
    other = squeezed.prepare(model, random_ids(301, seed=11))
    alone = logits(model, ctx, squeezed.Full(), question)
    first, second = ctx.cache(squeezed.Full()), other.cache(squeezed.Squeezed())
    with torch.inference_mode():
        model(question[None], past_key_values=second)
        together = model(question[None], past_key_values=first).logits[0]
        model(question[None], past_key_values=second)
    assert torch.equal(alone, together)


def test_long_contexts_are_prefilled_in_chunks(model, monkeypatch):
    from squeezed.model.prefill import prefill

    ids = random_ids(700, seed=12)
    squeezed.prepare(model, ids)  # switches the attention
    whole, parts = prefill(model, ids, 100, chunk=10_000), prefill(model, ids, 100, chunk=64)
    for a, b in zip(whole, parts, strict=True):
        assert a.queries.shape == b.queries.shape == (4, 100, 16)
        for field in ("keys", "values", "queries"):
            torch.testing.assert_close(getattr(a, field), getattr(b, field), rtol=1e-3, atol=1e-4)
