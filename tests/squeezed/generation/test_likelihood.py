"""Likelihoods of given answers are the dense model's with full attention, generation's with any method."""

import pytest
import torch

import squeezed
from tests.squeezed.conftest import random_ids, tiny_llama


@pytest.fixture(scope="module")
def model():
    return tiny_llama()


@pytest.fixture(scope="module")
def ctx(model):
    return squeezed.prepare(model, random_ids(400, 1))


ANSWERS = [random_ids(1, 3), random_ids(4, 4), random_ids(1, 5), random_ids(3, 6)]
QUESTION = random_ids(9, 2)


@torch.inference_mode()
def dense(model, ctx, answer: torch.Tensor) -> tuple[float, bool]:
    """The same from one forward pass over everything, by transformers alone."""
    ids = torch.cat([ctx.ids, QUESTION, answer])
    logits = model(ids[None]).logits[0, -len(answer) - 1 : -1]
    chosen = logits.log_softmax(-1).gather(1, answer[:, None]).sum()
    return float(chosen), bool((logits.argmax(-1) == answer).all())


def test_full_attention_gives_the_dense_models_numbers(model, ctx) -> None:
    found = squeezed.likelihoods(model, ctx, QUESTION, ANSWERS, method=squeezed.Full())
    for each, answer in zip(found, ANSWERS, strict=True):
        wanted, greedy = dense(model, ctx, answer)
        assert each.log_probability == pytest.approx(wanted, abs=1e-4)
        assert (each.greedy, each.kv_budget) == (greedy, 1.0)


def test_what_is_generated_is_greedy_and_read_as_much(model, ctx) -> None:
    method = squeezed.Squeezed(kv_budget=0.5, rule="topk")
    out = squeezed.generate(model, ctx, QUESTION, method=method, max_new_tokens=5)
    answer = out.sequences[0].clone()
    (found,) = squeezed.likelihoods(model, ctx, QUESTION, [answer], method=method)
    assert found.greedy
    assert found.kv_budget == pytest.approx(out.stats.kv_budget)
    answer[2] = 2 + (answer[2] - 1) % 200
    (other,) = squeezed.likelihoods(model, ctx, QUESTION, [answer], method=method)
    assert not other.greedy


def test_answers_know_nothing_of_each_other_nor_of_their_own_end(model, ctx) -> None:
    method = squeezed.Squeezed(kv_budget=0.5, rule="topk")
    together = squeezed.likelihoods(model, ctx, QUESTION, ANSWERS, method=method)
    for answer, each in zip(ANSWERS, together, strict=True):
        (alone,) = squeezed.likelihoods(model, ctx, QUESTION, [answer], method=method)
        assert alone == each
    short, long = squeezed.likelihoods(
        model, ctx, QUESTION, [ANSWERS[1][:1], ANSWERS[1]], method=method
    )
    assert long.log_probability < short.log_probability


@pytest.mark.parametrize(
    ("question", "answers", "said"),
    [
        (random_ids(0, 0), ANSWERS, "question_ids is empty"),
        (QUESTION, [ANSWERS[0], random_ids(0, 0)], "answer 1 is empty"),
        (QUESTION, [torch.tensor([9999])], "9999"),
    ],
)
def test_what_cannot_be_scored_is_refused(model, ctx, question, answers, said) -> None:
    with pytest.raises(ValueError, match=said):
        squeezed.likelihoods(model, ctx, question, answers, method=squeezed.Full())


def test_another_models_context_is_refused(ctx) -> None:
    with pytest.raises(squeezed.IndexMismatchError):
        squeezed.likelihoods(tiny_llama(seed=1), ctx, QUESTION, ANSWERS, method=squeezed.Full())
