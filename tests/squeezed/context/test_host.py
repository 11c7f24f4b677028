"""Keys and values in host memory: what moves, what is read there, and that answers stay as they are."""

import pytest
import torch

import squeezed
from squeezed.diagnostics.steps import diagnose
from tests.squeezed.conftest import logits, random_ids, tiny_llama

QUESTION = random_ids(14, seed=21)
METHODS = [
    squeezed.Full(),
    squeezed.Squeezed(sparsity=0.8, rule="topk"),
    squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True),
    squeezed.VAttention(sparsity=0, error=1e-6, first=squeezed.Oracle(block=1)),
]


@pytest.fixture
def copies(monkeypatch):
    """What ``cpu()`` returns, which copies here as it does from another device."""
    made = []

    def cpu(tensor):
        made.append(tensor.clone())
        return made[-1]

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    return made


def test_keys_and_values_move_and_nothing_else(ctx, copies):
    host = ctx.to_host()
    assert len(copies) == 2 * len(ctx.layers)
    for number, (moved, layer) in enumerate(zip(host.layers, ctx.layers, strict=True)):
        assert moved.keys is copies[2 * number]
        assert moved.values is copies[2 * number + 1]
        assert torch.equal(moved.keys, layer.keys)
        assert torch.equal(moved.values, layer.values)
        for name in ("positions", "levels", "window", "scale", "softcap", "queries", "statistics"):
            assert getattr(moved, name) is getattr(layer, name)
    assert host.ids is ctx.ids
    assert host.local is ctx.local
    assert host.derived == ctx.derived


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_what_moved_is_what_is_attended_to(model, ctx, copies, method):
    host = ctx.to_host()
    want = logits(model, ctx, method, QUESTION)
    for layer in host.layers:
        layer.values.mul_(2)
    assert (logits(model, host, method, QUESTION) - want).abs().max() > 0.01
    assert torch.equal(logits(model, ctx, method, QUESTION), want)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpus_context_answers_alike_from_host_memory():
    model, question = tiny_llama().to("cuda"), QUESTION.to("cuda")
    ctx = squeezed.prepare(model, random_ids(613, seed=1))
    host = ctx.to_host()
    for moved, layer in zip(host.layers, ctx.layers, strict=True):
        assert layer.keys.device.type == layer.values.device.type == moved.device.type == "cuda"
        assert moved.keys.device.type == moved.values.device.type == "cpu"
        assert moved.keys.is_pinned()
        assert moved.values.is_pinned()
    for method in METHODS:
        want = logits(model, ctx, method, question)
        torch.testing.assert_close(
            logits(model, host, method, question), want, rtol=1e-2, atol=1e-2
        )
    there, here = (diagnose(model, each, question, METHODS[1], 2) for each in (host, ctx))
    for found, row in zip(there, here, strict=True):
        assert found == pytest.approx(row, rel=1e-2, abs=1e-2)
