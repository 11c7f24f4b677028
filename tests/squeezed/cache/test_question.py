"""Who processes the user input: the method (``question="sparse"``), or full attention (``"dense"``)."""

import pytest
import torch

import squeezed
from squeezed.diagnostics.steps import diagnose
from tests.squeezed.conftest import logits, random_ids

QUESTION = random_ids(12, seed=3)
METHODS = {
    "squeezed": lambda **a: squeezed.Squeezed(rule="topk", **a),
    "quest": lambda **a: squeezed.Quest(block=5, **a),
    "snapkv": lambda **a: squeezed.SnapKV(observe="input", **a),
    "streaming": squeezed.StreamingLLM,
}


def answer(model, ctx, method, question=QUESTION, tokens=5):
    return squeezed.generate(model, ctx, question, method=method, max_new_tokens=tokens)


@pytest.mark.parametrize("name", METHODS)
def test_a_dense_question_is_read_whole_and_the_answer_at_the_asked_size(model, ctx, name):
    found = answer(model, ctx, METHODS[name](kv_budget=0.4, question="dense")).stats
    assert found.answer_budgets[0] == pytest.approx(0.4, abs=0.02)
    assert found.kv_budget == pytest.approx((1 + 4 * found.answer_budgets[0]) / 5, abs=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_the_first_token_of_a_dense_question_is_full_attentions(model, ctx, name):
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    dense = logits(model, ctx, METHODS[name](sparsity=0.95, question="dense"), QUESTION)
    torch.testing.assert_close(dense, want, rtol=1e-4, atol=1e-4)
    sparse = logits(model, ctx, METHODS[name](sparsity=0.95), QUESTION)
    assert (sparse - want).abs().max() > 0.1


@pytest.mark.parametrize("name", sorted(set(squeezed.METHODS) - {"full"}))
def test_every_method_leaves_a_dense_question_to_full_attention(model, ctx, name):
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    method = squeezed.METHODS[name](sparsity=0.9, question="dense")
    torch.testing.assert_close(logits(model, ctx, method, QUESTION), want, rtol=1e-4, atol=1e-4)
    found = answer(model, ctx, method, tokens=3).stats
    assert found.answer_budgets[0] < 1
    assert found.kv_budget == pytest.approx((1 + 2 * found.answer_budgets[0]) / 3, abs=1e-6)


def test_a_question_of_one_token_is_a_question(model, ctx):
    found = answer(model, ctx, squeezed.StreamingLLM(question="dense"), QUESTION[:1], tokens=2)
    assert found.stats.kv_budget == pytest.approx((1 + found.stats.answer_budgets[0]) / 2)
    assert found.stats.answer_budgets[0] < 0.4


def test_one_generated_token_has_no_answer_budget(model, ctx):
    found = answer(model, ctx, squeezed.StreamingLLM(question="dense"), tokens=1).stats
    assert found.kv_budget == 1
    assert found.answer_budgets[0] != found.answer_budgets[0]


def test_plain_generate_tells_question_and_answer_apart(model, ctx):
    method = squeezed.Squeezed(rule="topk", sparsity=0.95, question="dense")
    want = answer(model, ctx, method).sequences[0]
    ids = torch.cat([ctx.ids, QUESTION])[None]
    found = model.generate(
        ids, past_key_values=ctx.cache(method), max_new_tokens=5, do_sample=False
    )
    assert found[0, ids.shape[1] :].tolist() == want.tolist()


def test_a_batch_is_answered_as_its_members_alone(model, ctx):
    method = squeezed.SnapKV(sparsity=0.8, observe="input", question="dense")
    inputs = [random_ids(5, seed=7), random_ids(9, seed=8)]
    together = squeezed.generate(model, ctx, inputs, method=method, max_new_tokens=4)
    for number, each in enumerate(inputs):
        alone = squeezed.generate(model, ctx, each, method=method, max_new_tokens=4)
        assert together.sequences[number].tolist() == alone.sequences[0].tolist()
        budgets = together.stats.answer_budgets[number], alone.stats.answer_budgets[0]
        assert budgets[0] == pytest.approx(budgets[1], abs=1e-6)


def test_diagnosis_shows_the_dense_question(model, ctx):
    method = squeezed.Squeezed(rule="topk", sparsity=0.9, question="dense")
    rows = diagnose(model, ctx, QUESTION, method, max_new_tokens=3)
    assert {row["kv_budget"] == 1 for row in rows if row["phase"] == "input"} == {True}
    assert all(row["kv_budget"] < 0.4 for row in rows if row["phase"] == "token")


def test_another_word_is_refused():
    for method in (squeezed.StreamingLLM, squeezed.Quest):
        with pytest.raises(ValueError, match="question is 'maybe'; expected one of sparse, dense"):
            method(question="maybe")
