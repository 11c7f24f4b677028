"""Gemma 2 caps its logits: whatever is made of attention weights is made of the capped ones."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

import squeezed
from squeezed.diagnostics.steps import diagnose
from squeezed.generation.watch import watch
from squeezed.index.layer import singletons
from tests.squeezed.conftest import logits, random_ids
from tests.squeezed.model.test_families import FAMILIES, OBSERVED, N

FULL = (1, 3)  # the layers that attend to everything
QUESTION = random_ids(9, seed=9)


@pytest.fixture(scope="module")
def case():
    """A model, a context, and the model's own weights of it, of it read twice, and of it and a question."""
    model, ids = FAMILIES["gemma2"].model(), random_ids(N, seed=1)
    with torch.inference_mode():
        own, twice, asked = (
            [model(each[None], output_attentions=True).attentions[n][0] for n in FULL]
            for each in (ids, torch.cat([ids, ids]), torch.cat([ids, QUESTION]))
        )
    statistics = ("received_attention", "replay_attention")
    ctx = squeezed.prepare(model, ids, (0.3,), window=OBSERVED, statistics=statistics)
    return SimpleNamespace(model=model, ctx=ctx, own=own, twice=twice, asked=asked)


def by_head(weights):
    """``[Hq, L, N]`` as ``[H, G, L, M]``, clustered keys alone."""
    return weights.unflatten(0, (2, 2))[..., : N - OBSERVED]


def close(found, want):
    torch.testing.assert_close(found, want, rtol=1e-3, atol=1e-4)


def test_attention_that_keys_received(case):
    for layer, weights in zip(case.ctx.layers, case.own, strict=True):
        found = layer.in_place_order(layer.statistics["received_attention"])
        close(found, by_head(weights).mean(1).sum(1))


def test_the_most_that_keys_get_when_the_context_is_read_again(case):
    for layer, weights in zip(case.ctx.layers, case.twice, strict=True):
        found = layer.in_place_order(layer.statistics["replay_attention"])
        close(found, by_head(weights[:, N:]).amax((1, 2)))


def test_what_the_windows_queries_look_at(case):
    method = squeezed.SnapKV(queries=OBSERVED, kernel=1)
    for number, (layer, weights) in enumerate(zip(case.ctx.layers, case.own, strict=True)):
        found = layer.in_place_order(method.scores(case.ctx, number))
        close(found, by_head(weights[:, -OBSERVED:]).mean((1, 2)))


def test_thresholds_drop_the_share_that_is_asked_for(case):
    """On the window's own queries, which they were calibrated on."""
    for sparsity in (0.3, 0.7):
        method = squeezed.Squeezed(sparsity=sparsity, rule="threshold")
        kept = []
        for selector, layer in zip(
            method.bind(case.ctx, "reference"), case.ctx.layers, strict=True
        ):
            kept.append(selector.select(layer.queries[None], None).row_mask().float().mean())
        assert sum(kept) / 2 == pytest.approx(1 - sparsity, abs=0.02)


def test_stand_ins_for_single_keys_are_full_attention(case):
    single = dataclasses.replace(case.ctx, layers=tuple(map(singletons, case.ctx.layers)))
    want = logits(case.model, case.ctx, squeezed.Full(), QUESTION)
    method = squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True)
    close(logits(case.model, single, method, QUESTION), want)


def test_a_sample_of_everything_is_full_attention(case):
    want = logits(case.model, case.ctx, squeezed.Full(), QUESTION)
    method = squeezed.VAttention(sparsity=0, error=1e-6, first=squeezed.Oracle(block=1))
    close(logits(case.model, case.ctx, method, QUESTION), want)


def test_diagnosis_measures_capped_weights(case):
    """The oracle recalls all of its own rows, and their mass is the model's own."""
    method = squeezed.Oracle(sparsity=0.8)
    rows = diagnose(case.model, case.ctx, QUESTION, method, 1)
    assert [row["recall"] for row in rows] == [1.0] * 4
    _, selection = watch(case.model, case.ctx, QUESTION, method, 1)[0][0]
    kept = torch.ones(2, 1, 1, N, dtype=torch.bool)
    layer = case.ctx.layers[0]  # whose queries do not depend on what is kept
    kept[..., : N - OBSERVED] = layer.in_place_order(selection.row_mask()[0, :, 0])[:, None, None]
    weights = case.asked[0][:, N:, :N].unflatten(0, (2, 2))
    want = ((weights * kept).sum(-1) / weights.sum(-1)).mean((1, 2))
    assert [row["mass"] for row in rows[:2]] == pytest.approx(want.tolist(), abs=1e-4)
