"""Numbers that broke other implementations: huge logits, NaN, tiny contexts, clusters of all keys."""

import pytest
import torch

import squeezed
from squeezed.index.settings import Conditions
from squeezed.model.prefill import prefill
from tests.squeezed.conftest import STATISTICS, logits, random_ids, tiny_llama

QUESTION = random_ids(14, seed=21)


def sharp_llama(scale: float, dtype: torch.dtype):
    """Large query weights: logits far beyond what exp can hold."""
    model = tiny_llama(dtype=dtype)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight *= scale
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [20.0, 60.0])
def test_huge_logits_give_finite_thresholds_and_the_right_keys(scale, dtype):
    model = sharp_llama(scale, dtype)
    ctx = squeezed.prepare(model, random_ids(400, seed=1), (0.05, 0.25))
    layer = ctx.layers[0]
    queries = prefill(model, ctx.ids, 100)[0].queries.float()
    keys = layer.keys.float().repeat_interleave(2, 0)
    assert (layer.scale * queries @ keys.transpose(1, 2)).abs().max() > 150
    for calibration in ctx.calibrations(Conditions((0.5,))):
        assert all(bool(curve.isfinite().all()) for curve in calibration.tensors())
    want = logits(model, ctx, squeezed.Full(), QUESTION).float()
    scale_of_errors = want.std().item()
    assert bool(want.isfinite().all())
    # Attention this sharp rests on single keys: the few best carry all of it.
    oracle = logits(model, ctx, squeezed.Oracle(sparsity=0.5), QUESTION).float()
    tolerance = 1e-3 if dtype == torch.float32 else 0.1 * scale_of_errors
    torch.testing.assert_close(oracle, want, rtol=1e-3, atol=tolerance)
    for method in (
        squeezed.Squeezed(sparsity=0.5),
        squeezed.Squeezed(sparsity=0.5, rule="topk", residual=True),
        squeezed.Squeezed(sparsity=0.5, rule="topp"),
        squeezed.Quest(sparsity=0.5),
    ):
        cache = ctx.cache(method)
        with torch.inference_mode():
            found = model(QUESTION[None], past_key_values=cache).logits
        assert bool(found.isfinite().all())
        kept = torch.stack([reads.steps[0].read() / reads.tokens for reads in cache.reads])
        assert bool((kept > 100 / 400).all())  # no head has lost all its clusters


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_key_that_takes_all_attention_is_found(dtype):
    """A planted key with a logit near 150, others near 0: every scoring method keeps it at 95 %."""
    model = tiny_llama(dtype=dtype)
    ctx = squeezed.prepare(model, random_ids(500, seed=1))
    import dataclasses

    from squeezed.index.layer import LayerIndex

    layer: LayerIndex = ctx.layers[0]
    place = 217
    row = (layer.positions[0] == place).nonzero().item()
    direction = torch.randn(16, generator=torch.Generator().manual_seed(0))
    direction = direction / direction.norm()
    query = (direction * 150 / layer.scale / 4).to(dtype)
    keys = layer.keys.clone()
    keys[0, :400] = 0.01 * keys[0, :400]
    keys[0, row] = (4 * direction).to(dtype)
    from squeezed.index.build import build_levels

    offsets = (layer.levels[0].offsets,)
    planted = dataclasses.replace(layer, keys=keys, levels=build_levels(keys[:, :400], offsets))
    changed = dataclasses.replace(ctx, layers=(planted,))
    queries = query.expand(1, 4, 3, 16)
    for method in (
        squeezed.Squeezed(sparsity=0.95, rule="topk"),
        squeezed.Oracle(sparsity=0.95),
        squeezed.Quest(sparsity=0.95),
    ):
        selection = method.bind(changed, "auto")[0].select(queries, None)
        assert bool(selection.row_mask()[0, 0, 0, row]), method


def test_nan_weights_are_refused():
    model = tiny_llama()
    with torch.no_grad():
        model.model.layers[1].self_attn.k_proj.weight[3, 5] = float("nan")
    with pytest.raises(
        ValueError, match=r"not finite; the weight model.layers.1.self_attn.k_proj.weight"
    ):
        squeezed.prepare(model, random_ids(200, seed=1))


def test_nan_queries_are_refused_by_the_calibration():
    model = tiny_llama()
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight[3, 5] = float("nan")
    with pytest.raises(
        ValueError, match=r"not finite; the weight model.layers.0.self_attn.q_proj.weight"
    ):
        squeezed.prepare(model, random_ids(200, seed=1))


@pytest.mark.parametrize(
    ("tokens", "window", "levels"),
    [(2, 1, (0.5,)), (101, 100, (0.05,)), (30, 29, (0.01, 0.05)), (40, 10, (0.5, 1.0))],
)
def test_tiny_contexts_work(model, tokens, window, levels):
    """Down to a single clustered key, and up to a cluster for each key."""
    ctx = squeezed.prepare(
        model, random_ids(tokens, seed=1), levels, window=window, statistics=STATISTICS
    )
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    for name, cls in squeezed.METHODS.items():
        if name != "full" and not cls.sized:
            assert bool(logits(model, ctx, cls(sparsity=0), QUESTION).isfinite().all())
        elif name != "full":
            got = logits(model, ctx, cls(sparsity=0), QUESTION)
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
            assert bool(logits(model, ctx, cls(), QUESTION).isfinite().all())


def test_a_context_of_one_repeated_token_works(model):
    """Keys that differ by their place only; clusters of near-equal keys."""
    ctx = squeezed.prepare(model, torch.full((300,), 7))
    out = squeezed.generate(
        model, ctx, QUESTION, method=squeezed.Squeezed(sparsity=0.8), max_new_tokens=3
    )
    assert 100 / 300 <= out.stats.kv_budget < 1
