"""A model that computes NaN or infinity is refused by layer and step; token 0 is never its answer."""

import pytest
import torch

import squeezed
from squeezed.model.finite import finite_logits
from tests.squeezed.conftest import random_ids, tiny_llama

CONTEXT, QUESTION = random_ids(300, seed=1), random_ids(5, seed=2)
METHODS = [squeezed.Full(), squeezed.Squeezed(sparsity=0.5)]


@pytest.fixture
def own():
    """A model of the test's own, to break."""
    return tiny_llama()


def answer(model, ctx, method=METHODS[0], question=QUESTION, count=4):
    return squeezed.generate(model, ctx, question, method=method, max_new_tokens=count)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_broken_layer_is_found_in_the_context(own, value):
    own.model.layers[0].mlp.down_proj.weight.data[3, 5] = value
    with pytest.raises(
        squeezed.NonFiniteError, match=r"what layer 1 of 3 keeps.*layers\.0\.mlp\.down_proj"
    ):
        squeezed.prepare(own, CONTEXT)


@pytest.mark.parametrize("method", METHODS, ids=["full", "squeezed"])
def test_a_broken_last_layer_is_found_in_the_logits(own, method):
    own.model.layers[2].mlp.down_proj.weight.data[3, 5] = float("nan")
    ctx = squeezed.prepare(own, CONTEXT)  # nobody reads its output there
    with pytest.raises(squeezed.NonFiniteError, match=r"step 0.*first in layer 2; the weight"):
        answer(own, ctx, method)


def test_a_broken_head(own):
    own.lm_head.weight.data[7] = float("nan")
    ctx = squeezed.prepare(own, CONTEXT)
    with pytest.raises(
        squeezed.NonFiniteError, match=r"all layers are finite, the head is not; .*lm_head"
    ):
        answer(own, ctx)


def test_the_step_is_named(own):
    """The embedding of the second answer token is broken, so its own step is the first that fails."""
    context = CONTEXT % 20 + 2  # of few tokens, so that the answer has others
    ctx = squeezed.prepare(own, context)
    question = QUESTION % 20 + 2
    first, second = answer(own, ctx, question=question, count=3).sequences[0, :2].tolist()
    assert second not in {first, *context.tolist(), *question.tolist()}
    fine = answer(own, ctx, question=question, count=2).sequences
    hook = own.model.embed_tokens.register_forward_hook(
        lambda _, given, output: output.masked_fill((given[0] == second)[..., None], float("nan"))
    )
    assert torch.equal(answer(own, ctx, question=question, count=2).sequences, fine)
    with pytest.raises(
        squeezed.NonFiniteError, match=r"in step 2, after a new token.*first in layer 0"
    ):
        answer(own, ctx, question=question, count=4)
    hook.remove()


@pytest.mark.parametrize("method", METHODS, ids=["full", "squeezed"])
def test_no_answer_is_given_a_likelihood_of_nan(own, method):
    ctx = squeezed.prepare(own, CONTEXT % 5 + 20)
    answers = [torch.tensor([5]), torch.tensor([7, 8, 9])]
    assert all(each.log_probability < 0 for each in likely(own, ctx, answers, method))
    hook = own.model.embed_tokens.register_forward_hook(
        lambda _, given, output: output.masked_fill((given[0] == 8)[..., None], float("nan"))
    )
    with pytest.raises(squeezed.NonFiniteError, match=r"in step 2.*first in layer 0"):
        likely(own, ctx, answers, method)
    hook.remove()
    own.model.layers[2].mlp.down_proj.weight.data[3, 5] = float("nan")
    with pytest.raises(squeezed.NonFiniteError, match=r"step 0.*first in layer 2; the weight"):
        likely(own, ctx, answers, method)


def likely(model, ctx, answers, method):
    return squeezed.likelihoods(model, ctx, QUESTION % 5 + 20, answers, method=method)


def test_minus_infinity_may_rule_tokens_out():
    logits = torch.tensor([[0.0, float("-inf")], [float("-inf"), 2.0]])
    assert finite_logits(logits)
    for wrong in (float("nan"), float("inf")):
        assert not finite_logits(torch.tensor([[0.0, wrong]]))
    assert not finite_logits(torch.full((1, 2), float("-inf")))


@pytest.mark.parametrize("wrong", [300, -1, 2**40])
def test_token_ids_that_the_model_does_not_know(own, wrong):
    broken = CONTEXT.clone()
    broken[17] = wrong
    with pytest.raises(
        ValueError, match=rf"context_ids holds the token id {wrong}; .* ids 0 to 299"
    ):
        squeezed.prepare(own, broken)
    ctx = squeezed.prepare(own, CONTEXT)
    with pytest.raises(ValueError, match=f"question_ids holds the token id {wrong}"):
        answer(own, ctx, question=torch.tensor([5, wrong]))
