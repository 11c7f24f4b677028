"""Residual mode: dropped clusters contribute through their centroid and mean value."""

import dataclasses

import pytest
import torch
from squeezed_kernels import attend

import squeezed
from squeezed.cache.conversation import FixedContextCache
from squeezed.index.layer import singletons
from tests.squeezed.conftest import context_of, layer_of, logits, random_ids

QUESTION = random_ids(11, seed=7)


def test_single_keys_as_clusters_give_exact_attention(model, ctx):
    """Every dropped key stands for itself, so nothing is lost however much is dropped."""
    layers = tuple(singletons(layer) for layer in ctx.layers)
    single = dataclasses.replace(ctx, layers=layers)
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    for sparsity in (0.5, 0.95):
        method = squeezed.Squeezed(sparsity=sparsity, rule="topk", residual=True)
        got = logits(model, single, method, QUESTION)
        # The mean values that stand in are rounded to the centroids' type, float32 here.
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
        dropped = dataclasses.replace(method, residual=False)
        assert (logits(model, single, dropped, QUESTION) - want).abs().max() > 0.01


@pytest.mark.parametrize("depth", [1, 2])
def test_stand_ins_are_closer_to_full_attention_than_nothing(model, deep, depth):
    want = logits(model, deep[depth], squeezed.Full(), QUESTION)
    errors = []
    for residual in (False, True):
        method = squeezed.Squeezed(sparsity=0.9, rule="topk", residual=residual)
        errors.append((logits(model, deep[depth], method, QUESTION) - want).norm().item())
    assert errors[1] < errors[0]


def test_output_hand_worked():
    """Softmax over four kept rows and the window, and one centroid that weighs as six keys."""
    layer = layer_of([0.0] * 6 + [3.0] * 4 + [0.0] * 2)
    method = squeezed.Squeezed(sparsity=0.6, rule="topk", residual=True)
    cache = context_of(layer).cache(method, backend="reference")
    assert isinstance(cache, FixedContextCache)
    query = torch.ones(1, 1, 1, 1)
    own = torch.zeros(1, 1, 1, 1)
    cache.update(own, own, 0)
    got = cache.layers[0].attend(torch.nn.Identity(), query, None, 1.0, None)
    keys = torch.tensor([3.0] * 4 + [0.0] * 2 + [0.0] * 6 + [0.0]).view(1, 1, -1, 1)
    values = torch.tensor([6.0, 7, 8, 9, 10, 11] + [2.5] * 6 + [0.0]).view(1, 1, -1, 1)
    want, _ = attend(query, keys, values, None, 1.0)
    torch.testing.assert_close(got, want.transpose(1, 2))


def test_blocks_have_stand_ins_of_their_own(model, ctx):
    """A block that is as long as the input is the input; one token a block equals token-by-token feeding."""
    method = squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True)
    whole = logits(model, ctx, method, QUESTION)
    one_block = dataclasses.replace(method, block=len(QUESTION))
    torch.testing.assert_close(logits(model, ctx, one_block, QUESTION), whole)
    single = logits(model, ctx, dataclasses.replace(method, block=1), QUESTION)
    cache = ctx.cache(method)
    with torch.inference_mode():
        steps = [model(token[None, None], past_key_values=cache).logits[0] for token in QUESTION]
    torch.testing.assert_close(torch.cat(steps), single, rtol=1e-4, atol=1e-4)
