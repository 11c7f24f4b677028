"""Calibration: quantile curves, the mass curve, and that use meets what calibration promised."""

import dataclasses
import math

import numpy as np
import pytest
import torch

import squeezed
from squeezed.cache.fixed import align
from squeezed.calibration.calibrate import calibrate, weighted_quantiles
from squeezed.calibration.curves import GRID, HEAD_GRID, MASS_GRID, LevelCurves
from squeezed.index.build import build_levels
from squeezed.index.layer import LayerIndex
from squeezed.index.settings import Conditions
from squeezed.selection.rules import above_threshold
from tests.squeezed.conftest import WINDOW, context_of, first_pass, layer_of, random_ids, tiny_llama

FLOOR = torch.finfo(torch.float32).min


def curves(scores, weights) -> LevelCurves:
    """Curves of one layer with one head."""
    model = weighted_quantiles(torch.as_tensor(scores), torch.as_tensor(weights), GRID)
    head = weighted_quantiles(torch.as_tensor(scores), torch.as_tensor(weights), HEAD_GRID)
    return LevelCurves(model, head[None], head[None, None])


def threshold(level: LevelCurves, sparsity: float) -> float:
    return level.threshold(sparsity, "model", 0).item()


def test_weights_count_keys_not_clusters():
    # 90 keys score 1, 10 keys score 2: dropping 90 % means a threshold of 1, dropping 95 % one of 2.
    level = curves([2.0, 1.0], [10, 90])
    assert threshold(level, 0.5) == 1.0
    assert threshold(level, 0.89) == 1.0
    assert threshold(level, 0.95) == 2.0


def test_sparsity_zero_keeps_all():
    assert threshold(curves([0.3, 0.1], [1, 1]), 0) == -math.inf


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.7, 0.9, 0.95, 0.99])
def test_share_above_the_threshold_is_what_was_asked(sparsity):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5000, generator=generator)
    weights = torch.randint(1, 40, (5000,), generator=generator)
    found = threshold(curves(scores, weights), sparsity)
    kept = weights[scores > found].sum() / weights.sum()
    assert abs(kept.item() - (1 - sparsity)) < 2e-3
    expanded = np.repeat(scores.numpy(), weights.numpy())
    step = 2 / GRID  # interpolation between grid points, and whole clusters
    low, high = np.quantile(expanded, [sparsity - step, sparsity + step])
    assert low <= found <= high


def test_curve_never_falls():
    generator = torch.Generator().manual_seed(1)
    level = curves(
        torch.randn(300, generator=generator), torch.randint(0, 5, (300,), generator=generator)
    )
    for scope in ("model", "layer", "head"):
        found = [level.threshold(s, scope, 0).item() for s in np.linspace(0, 0.999, 777)]
        assert found == sorted(found)


def test_scores_of_dropped_parents_lie_at_the_bottom_and_stay_finite():
    level = curves([-math.inf, -1.0], [5, 5])
    assert bool(level.model.isfinite().all())
    assert threshold(level, 0.5) == FLOOR  # nothing is mixed between "no score" and a score
    assert threshold(level, 0.9) == -1.0


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        weighted_quantiles(torch.tensor([0.0, float("nan")]), torch.tensor([1, 1]), GRID)


def hand_made():
    """Two clusters of 6 and 4 keys with logits 0 and ln 3 for the query 1."""
    return layer_of([0.0] * 6 + [math.log(3)] * 4 + [0.0] * 2)


def test_curves_and_mass_hand_worked():
    # In bfloat16 the centroid ln 3 is 1.1015625. Scores per key: 1 / (6 + 4 e^a) and e^a / (6 + 4 e^a).
    weight = math.exp(1.1015625)
    low, high = -math.log(6 + 4 * weight), 1.1015625 - math.log(6 + 4 * weight)
    found = calibrate([hand_made()], [[torch.ones(1, 1, 1)]], Conditions())
    level = found.levels[0]
    for scope in ("model", "layer", "head"):
        assert level.threshold(0.3, scope, 0).item() == pytest.approx(low, abs=1e-6)
        assert level.threshold(0.61, scope, 0).item() == pytest.approx(high, abs=1e-6)
    # The large cluster's mass is 4 e^a / (6 + 4 e^a) = 0.667: 4 of 10 keys hold up to that, all 10 the rest.
    share = 4 * weight / (6 + 4 * weight)
    steps = torch.arange(MASS_GRID + 1) / MASS_GRID
    want = torch.where(steps <= share, 0.4, 1.0)
    torch.testing.assert_close(found.mass, want)
    assert found.mass_for(0.6) <= share  # 40 % of the keys
    assert found.mass_for(0.0) > share


def test_scores_are_averaged_over_the_queries_of_a_sample_and_samples_stay_apart():
    queries = [torch.tensor([[[1.0]]]), torch.tensor([[[-1.0]]])]
    together = calibrate([hand_made()], [[torch.cat(queries, dim=1)]], Conditions()).levels[0]
    apart = calibrate([hand_made()], [queries], Conditions()).levels[0]
    weight = math.exp(1.1015625)
    sums = 6 + 4 * weight, 6 + 4 / weight
    mean = (1 / sums[0] + 1 / sums[1]) / 2  # of the cluster of logit 0, below 60 %
    other = (weight / sums[0] + 1 / weight / sums[1]) / 2
    assert threshold(together, 0.2) == pytest.approx(math.log(min(mean, other)), abs=1e-6)
    each = sorted(
        math.log(score)
        for total, scores in ((sums[0], (1, weight)), (sums[1], (1, 1 / weight)))
        for score in (s / total for s in scores)
    )
    assert threshold(apart, 0.1) == pytest.approx(each[0], abs=1e-6)
    assert threshold(apart, 0.99) == pytest.approx(each[-1], abs=1e-6)


def test_only_children_of_kept_clusters_compete():
    """The curve of the fine level is what the lookup sees after the coarse level has dropped its share."""
    keys = [0.0, 0.1, 0.2, 0.3, 2.0, 2.1, 2.2, 2.3]
    layer = layer_of(
        [*keys, 0.0], offsets=((0, 2, 4), (0, 2, 4, 6, 8)), window=1, positions=range(8)
    )
    found = calibrate([layer], [[torch.ones(1, 1, 1)]], Conditions((0.5,)))
    fine = found.levels[1]
    assert threshold(fine, 0.4) == FLOOR  # the keys of the dropped coarse cluster
    logits = layer.levels[1].centroids[0, 2:, 0].double()
    scores = logits - (2 * logits.exp()).sum().log()
    assert threshold(fine, 0.6) == pytest.approx(scores[0].item(), abs=1e-5)
    assert threshold(fine, 0.9) == pytest.approx(scores[1].item(), abs=1e-5)


def test_calibration_on_the_window_drops_what_is_asked_of_the_window(model, deep):
    """The window's own queries meet the asked sparsity at every depth and scope: the same conditions."""
    for depth, ctx in deep.items():
        inputs, _ = ctx.calibrations(ctx.settings.conditions)
        for scope in ("model", "layer", "head"):
            method = squeezed.Squeezed(sparsity=0.8, scope=scope)
            shares = []
            for layer, selector in zip(ctx.layers, method.bind(ctx, "auto"), strict=True):
                selection = selector.select(layer.queries[None], None)
                shares.append(selection.rows() / layer.clustered)
            kept = torch.stack(shares).squeeze((1, 3))  # [layers, H]
            assert kept.mean().item() == pytest.approx(0.2, abs=0.01), (depth, scope)
            if depth < 3 and scope != "model":
                each = kept.mean(1) if scope == "layer" else kept
                torch.testing.assert_close(each, torch.full_like(each, 0.2), rtol=0, atol=0.025)
        assert (
            inputs is ctx.calibrations(ctx.settings.conditions)[1]
        )  # one for inputs and tokens, as in the paper


def test_a_global_threshold_gives_heads_unequal_shares_and_a_heads_own_does_not(deep):
    ctx = deep[1]

    def spread(scope: str) -> float:
        kept = [
            selector.select(layer.queries[None], None).rows()[0, :, 0]
            for layer, selector in zip(
                ctx.layers,
                squeezed.Squeezed(sparsity=0.8, scope=scope).bind(ctx, "auto"),
                strict=True,
            )
        ]
        return torch.cat(kept).std().item()

    assert spread("model") > 2 * spread("head")


def measured_sparsity(model, ctx, method, seeds) -> float:
    found = []
    for seed in seeds:
        stats = squeezed.generate(
            model, ctx, random_ids(10 + seed % 5, seed), method=method, max_new_tokens=5
        ).stats
        rows = (stats.kv_budget - stats.lookup_budget) * ctx.tokens - WINDOW
        found.append(1 - rows / (ctx.tokens - WINDOW))
    return sum(found) / len(found)


@pytest.fixture(scope="module")
def calibrated(model, deep):
    inputs = [random_ids(10 + seed % 5, seed) for seed in range(100, 108)]
    return {depth: ctx.calibrate(model, inputs, new_tokens=5) for depth, ctx in deep.items()}


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.8, 0.9, 0.95])
def test_threshold_calibrated_on_inputs_meets_the_asked_sparsity_on_others(
    model, calibrated, depth, sparsity
):
    method = squeezed.Squeezed(sparsity=sparsity)
    found = measured_sparsity(model, calibrated[depth], method, range(200, 206))
    assert found == pytest.approx(sparsity, abs=0.03)


@pytest.mark.parametrize("scope", ["layer", "head"])
def test_other_scopes_meet_it_too(model, calibrated, scope):
    method = squeezed.Squeezed(sparsity=0.8, scope=scope)
    assert measured_sparsity(model, calibrated[1], method, range(200, 206)) == pytest.approx(
        0.8, abs=0.03
    )


@pytest.mark.parametrize("depth", [1, 2])
def test_topp_calibrated_on_inputs_meets_it_too(model, calibrated, depth):
    method = squeezed.Squeezed(sparsity=0.8, rule="topp")
    assert measured_sparsity(model, calibrated[depth], method, range(200, 206)) == pytest.approx(
        0.8, abs=0.03
    )


def test_inputs_and_tokens_have_curves_of_their_own(calibrated):
    ctx = calibrated[1]
    inputs, tokens = ctx.calibrations(ctx.settings.conditions)
    assert not torch.equal(inputs.levels[0].model, tokens.levels[0].model)
    assert ctx.calibrated_on == "inputs"


def test_no_input_to_calibrate_on_is_an_error(model, ctx):
    with pytest.raises(ValueError, match="inputs is empty"):
        ctx.calibrate(model, [])
    with pytest.raises(squeezed.IndexMismatchError, match="another model"):
        ctx.calibrate(tiny_llama(seed=1), [random_ids(5, 1)])


def test_without_the_queries_only_what_is_calibrated_can_be_asked(model):
    ctx = squeezed.prepare(model, random_ids(400, seed=1), (0.05, 0.2), keep_queries=False)
    question = random_ids(5, seed=2)
    assert all(layer.queries is None for layer in ctx.layers)
    squeezed.generate(model, ctx, question, method=squeezed.Squeezed(sparsity=0.8))
    for method in (
        squeezed.Squeezed(sparsity=0.8, coarse_sparsity=0.7),
        squeezed.Squeezed(sparsity=0.3),
    ):
        with pytest.raises(ValueError, match="no calibration for coarse drops"):
            ctx.cache(method)
    # Rules that need no calibration work at any drop.
    first_pass(model, ctx, squeezed.Squeezed(sparsity=0.3, rule="topk"), question)


def test_a_context_without_queries_says_so():
    ctx = context_of(hand_made())
    with pytest.raises(ValueError, match="keep_queries=True"):
        ctx.calibrations(Conditions())
    window = dataclasses.replace(ctx.layers[0], queries=torch.ones(1, 2, 1))
    inputs, _ = context_of(window).calibrations(Conditions())
    cut = inputs.levels[0].threshold(0.5, "model", 0)
    scores = torch.tensor([-3.0, -1.0]).view(1, 1, 1, 2)
    assert above_threshold(scores, cut)[0, 0, 0].tolist() == [False, True]


def random_layer(seed: int, heads: int = 2, group: int = 3, window: int = 23) -> LayerIndex:
    """A layer of random keys, in clusters of five, that remembers its window's queries."""
    draw = torch.Generator().manual_seed(seed)
    keys, values = (torch.randn(heads, 400 + window, 8, generator=draw) for _ in range(2))
    offsets = torch.arange(0, 401, 5, dtype=torch.int32).expand(heads, -1).contiguous()
    return LayerIndex(
        keys=keys,
        values=values,
        positions=torch.arange(400, dtype=torch.int32).expand(heads, -1).contiguous(),
        levels=build_levels(keys[:, :400], (offsets,)),
        window=window,
        scale=1.0,
        queries=torch.randn(heads * group, window, 8, generator=draw) * (1 + seed),
    )


@pytest.mark.parametrize("kind", [squeezed.Squeezed, squeezed.Oracle])
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("block", [None, 1, 4])
@pytest.mark.parametrize("scope", ["model", "layer", "head"])
def test_what_is_kept_of_the_calibrated_queries_is_what_was_asked(kind, reduce, block, scope):
    """The queries that thresholds come from, selected for as they are online."""
    ctx = context_of(random_layer(0), random_layer(1))
    method = kind(sparsity=0.8, rule="threshold", reduce=reduce, block=block, scope=scope)
    kept = [_kept(ctx.layers[i], s, block) for i, s in enumerate(method.bind(ctx, "reference"))]
    assert torch.stack(kept).mean().item() == pytest.approx(0.2, abs=0.01)


def _kept(layer, selector, block) -> torch.Tensor:
    """Share of each head's keys that a selector keeps of the window's queries."""
    query, valid = align(layer.queries[None], None, block)
    keep = selector.select(query, valid).row_mask()[0]
    return keep.float().mean((1, 2))


@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("kind", [squeezed.Squeezed, squeezed.Oracle])
def test_a_token_that_is_padded_to_a_block_is_measured_as_a_token(kind, block):
    layer = random_layer(0)
    samples = ((layer.queries * 0.1, layer.queries),)  # user inputs look otherwise than tokens
    ctx = dataclasses.replace(context_of(layer), samples=(samples,), calibrated_on="inputs")
    token = layer.queries[None, :, :1]
    kept = []
    for size in (block, None):
        selector = kind(sparsity=0.8, rule="threshold", block=size).bind(ctx, "reference")[0]
        kept.append(selector.select(*align(token, None, size)).row_mask())
    assert torch.equal(*kept)


@pytest.mark.parametrize("kind", [squeezed.Squeezed, squeezed.Oracle])
@pytest.mark.parametrize("scope", ["model", "layer", "head"])
def test_dense_layers_say_nothing_of_the_others_scores(kind, scope):
    ctx = context_of(random_layer(5), random_layer(0))
    method = kind(sparsity=0.8, rule="threshold", dense_layers=1, scope=scope)
    _, sparse = method.bind(ctx, "reference")
    assert _kept(ctx.layers[1], sparse, None).mean().item() == pytest.approx(0.2, abs=0.01)
    topp = kind(sparsity=0.8, rule="topp", dense_layers=1).bind(ctx, "reference")[1]
    assert _kept(ctx.layers[1], topp, None).mean().item() == pytest.approx(0.2, abs=0.02)


def test_a_calibration_under_other_conditions_is_kept_and_stored(tmp_path, model):
    ctx = squeezed.prepare(model, random_ids(300, seed=2), (0.05, 0.2))
    method = squeezed.Squeezed(sparsity=0.8, reduce="max", block=3, dense_layers=1)
    before = _read(model, ctx, method)
    loaded = squeezed.FixedContext.load(ctx.save(tmp_path / "index"), model=model)
    wanted = Conditions((0.5,), reduce="max", block=3, dense_layers=1)
    assert wanted in loaded.known_calibrations()
    assert _read(model, loaded, method) == before


def _read(model, ctx, method) -> float:
    out = squeezed.generate(model, ctx, random_ids(7, seed=3), method=method, max_new_tokens=3)
    return out.stats.kv_budget


def test_levels_that_drop_less_are_paid_for():
    """The budget is met with the drops that are used, not with those that were asked for."""
    ctx = squeezed.prepare(tiny_llama(), random_ids(900, seed=1), (0.05, 0.4))
    method = squeezed.Squeezed(kv_budget=0.8, rule="threshold")
    layer, selector = ctx.layers[0], method.bind(ctx, "reference")[0]
    assert selector.conditions.drops < (0.5,)
    read = method.expected_lookup(layer, selector.conditions.drops)
    rows = (1 - selector.sparsity) * layer.clustered
    assert layer.window + read + rows == pytest.approx(0.8 * layer.tokens, abs=0.1)
