"""The measured budget: what it counts, and that it is the asked one, for every method."""

import dataclasses
import itertools

import pytest
import torch

import squeezed
from squeezed.cache.accounting import LayerReads, Step, mean_budget, summarise
from squeezed.index.build import build_levels
from tests.squeezed.conftest import WINDOW, first_pass, random_ids

QUESTION = random_ids(12, seed=3)

# Methods whose size is a number of rows; thresholds meet theirs only as well as they are calibrated.
SIZED = {
    "squeezed": lambda **size: squeezed.Squeezed(rule="topk", **size),
    "squeezed-blocks": lambda **size: squeezed.Squeezed(rule="topk", block=5, **size),
    "squeezed-max": lambda **size: squeezed.Squeezed(rule="topk", reduce="max", **size),
    "squeezed-residual": lambda **size: squeezed.Squeezed(rule="topk", residual=True, **size),
    "oracle": squeezed.Oracle,
    "oracle-blocks": lambda **size: squeezed.Oracle(block=5, **size),
    "quest": squeezed.Quest,
    "streaming": squeezed.StreamingLLM,
    "snapkv": squeezed.SnapKV,
    "h2o": squeezed.H2O,
    "random": squeezed.Random,
    "adakv": squeezed.AdaKV,
    "shadowkv": lambda **size: squeezed.ShadowKV(outliers=2, **size),
    "clusterkv": lambda **size: squeezed.ClusterKV(sinks=4, **size),
    "retroinfer": lambda **size: squeezed.RetroInfer(estimated=0.2, **size),
    "infllm": lambda **size: squeezed.InfLLM(page=16, sinks=4, **size),
    "rocketkv": squeezed.RocketKV,
    "pqcache": lambda **size: squeezed.PQCache(bits=3, **size),
    "loki": lambda **size: squeezed.Loki(rank=2, **size),
    "sparq": lambda **size: squeezed.SparQ(rank=2, block=1, **size),
    "pyramidkv": squeezed.PyramidKV,
    "cake": squeezed.CAKE,
    "lava": squeezed.LAVa,
    "duo": lambda **size: squeezed.DuoAttention(sinks=4, local=120, **size),
    "kvzip": squeezed.KVzip,
    "chunkkv": squeezed.ChunkKV,
    "tova": squeezed.TOVA,
    "expected": squeezed.ExpectedAttention,
}


def stats(model, ctx, method, tokens: int = 4):
    return squeezed.generate(model, ctx, QUESTION, method=method, max_new_tokens=tokens).stats


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("budget", [0.3, 0.5, 0.9])
def test_asked_budget_is_the_measured_one(model, ctx, name, budget):
    assert stats(model, ctx, SIZED[name](kv_budget=budget)).kv_budget == pytest.approx(
        budget, abs=0.02
    )


@pytest.mark.parametrize("name", SIZED)
def test_asked_tokens_are_the_measured_ones(model, ctx, name):
    found = stats(model, ctx, SIZED[name](kv_tokens=245)).kv_budget
    assert found == pytest.approx(245 / ctx.tokens, abs=0.02)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("dense", [1, 2])
def test_dense_layers_count_towards_the_asked_budget(model, ctx, name, dense):
    found = stats(model, ctx, SIZED[name](kv_budget=0.8, dense_layers=dense))
    assert found.kv_budget == pytest.approx(0.8, abs=0.02)
    assert found.budget_per_layer[:dense] == (1.0,) * dense


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("budget", [0.1, 0.2, 0.6])
@pytest.mark.parametrize("residual", [False, True])
def test_asked_budget_is_met_at_every_depth(model, deep, depth, budget, residual):
    method = squeezed.Squeezed(kv_budget=budget, rule="topk", residual=residual)
    assert stats(model, deep[depth], method).kv_budget == pytest.approx(budget, abs=0.02)


@pytest.fixture(scope="module")
def pairs(ctx):
    """The context with two neighbouring rows a cluster: a lookup reads a tenth of all bytes."""
    bounds = torch.tensor([[*range(0, 513, 2), 513]] * 2, dtype=torch.int32)
    layers = [
        dataclasses.replace(layer, levels=build_levels(layer.keys[:, :513], (bounds,)))
        for layer in ctx.layers
    ]
    return dataclasses.replace(ctx, layers=tuple(layers))


@pytest.mark.parametrize("settings", [{}, {"block": 5}, {"reduce": "max"}], ids=str)
@pytest.mark.parametrize("tokens", [1, 4])
def test_the_lookup_is_a_part_of_the_asked_budget(model, pairs, settings, tokens):
    """To a row, in the pass of the user input and in those of the tokens behind it."""
    method = squeezed.Squeezed(kv_budget=0.6, rule="topk", **settings)
    found = stats(model, pairs, method, tokens)
    assert found.kv_budget == pytest.approx(0.6, abs=1.5 / pairs.tokens)
    assert found.lookup_budget > 0.1


def test_mean_values_are_a_part_of_the_asked_budget(model, pairs):
    """They are set aside as if all clusters were dropped, so a little less is read than asked for."""
    method = squeezed.Squeezed(kv_budget=0.6, rule="topk", residual=True)
    found = stats(model, pairs, method)
    assert 0.55 < found.kv_budget < 0.6
    assert found.lookup_budget > 0.15


@pytest.mark.parametrize("rule", ["threshold", "topp"])
def test_calibrated_rules_meet_a_budget_on_inputs_like_those_they_know(model, deep, rule):
    ctx = deep[1].calibrate(model, [QUESTION, random_ids(11, seed=4)], new_tokens=4)
    method = squeezed.Squeezed(kv_budget=0.3, rule=rule)
    assert stats(model, ctx, method).kv_budget == pytest.approx(0.3, abs=0.03)


def test_snapkv_on_the_user_input_pays_for_its_look_once(model, ctx):
    """Half of the bytes of all clustered tokens, in the first step only; the rest is as asked."""
    method = squeezed.SnapKV(kv_budget=0.3, observe="input")
    once = 0.5 * (ctx.tokens - WINDOW) / ctx.tokens
    for tokens in (1, 4):
        found = stats(model, ctx, method, tokens)
        assert found.lookup_budget == pytest.approx(once / tokens, abs=1e-5)
        assert found.kv_budget - found.lookup_budget == pytest.approx(0.3, abs=0.005)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.7, 0.9])
def test_measured_budget_is_kept_rows_window_and_lookup(model, ctx, sparsity):
    clustered = ctx.tokens - WINDOW
    rows = (WINDOW + (1 - sparsity) * clustered) / ctx.tokens
    # A centroid of bfloat16 beside a key and a value of float32: a quarter of a token.
    lookup = round(0.05 * clustered) / 4 / ctx.tokens
    for name, want in {"squeezed": lookup, "streaming": 0, "oracle": 0, "random": 0}.items():
        found = stats(model, ctx, SIZED[name](sparsity=sparsity))
        assert found.kv_budget == pytest.approx(rows + want, abs=0.015), name
        assert found.lookup_budget == pytest.approx(want, abs=1e-6), name


def test_bfloat16_centroids_cost_half_a_token(ctx):
    layer = ctx.layers[0]
    half = dataclasses.replace(layer, keys=layer.keys.bfloat16(), values=layer.values.bfloat16())
    assert layer.lookup_cost == 0.25
    assert half.lookup_cost == 0.5


RULES = [
    {"rule": "topk"},
    {"rule": "threshold"},
    {"rule": "threshold", "scope": "layer"},
    {"rule": "threshold", "scope": "head"},
    {"rule": "topp"},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("depth", [1, 2])
def test_higher_sparsity_never_reads_more(model, deep, depth, rule):
    # Of one forward pass: later steps differ, as other tokens are generated.
    budgets = [
        mean_budget(
            first_pass(
                model, deep[depth], squeezed.Squeezed(sparsity=sparsity, **rule), QUESTION
            ).reads
        )[0]
        for sparsity in (0, 0.2, 0.5, 0.8, 0.9, 0.99)
    ]
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[0] > 2 * budgets[-1]


# RocketKV divides every size anew: other survivors, other pages.
@pytest.mark.parametrize("name", [name for name in SIZED if name != "rocketkv"])
def test_higher_sparsity_keeps_a_subset(model, ctx, name):
    """In the first layer, whose queries are the same whatever is kept."""
    query = ctx.layers[0].queries[None, :, -10:]
    kept = []
    for sparsity in (0.95, 0.8, 0.5, 0.1):
        selector = SIZED[name](sparsity=sparsity).bind(ctx, "auto")[0]
        kept.append(selector.select(query, None).row_mask())
    for less, more in itertools.pairwise(kept):
        assert bool((more | ~less).all())


def test_budgets_by_layer_and_head_average_to_the_whole(model, deep):
    found = stats(model, deep[1], squeezed.Squeezed(sparsity=0.8))
    assert len(found.budget_per_layer) == 3
    assert all(len(heads) == 2 for heads in found.budget_per_head)
    assert sum(found.budget_per_layer) / 3 == pytest.approx(found.kv_budget)
    for layer, heads in zip(found.budget_per_layer, found.budget_per_head, strict=True):
        assert sum(heads) / 2 == pytest.approx(layer)
    assert len({round(share, 4) for share in found.budget_per_layer}) > 1  # one threshold for all


def test_a_stop_token_leaves_the_steps_before_it_counted(model, ctx):
    # SnapKV pays for its look in the first of the steps; an answer that ends must not lose the others.
    method, question = squeezed.SnapKV(sparsity=0.9, observe="input"), random_ids(9, seed=4)
    free = squeezed.generate(model, ctx, question, method=method, max_new_tokens=6)
    last = free.sequences[0].tolist()
    stopped = squeezed.generate(
        model, ctx, question, method=method, max_new_tokens=20, min_new_tokens=6, stop_ids=last[-1:]
    )
    assert stopped.sequences[0].tolist() == last
    assert stopped.stats.kv_budget == pytest.approx(free.stats.kv_budget)


def test_steps_of_members_that_have_stopped_do_not_count():
    reads = LayerReads(100)
    reads.steps.append(Step(torch.tensor([[4.0], [14.0]]), 6, 0.0, None))
    lookup, stopped = torch.full((2, 1), 10.0), torch.tensor([True, False])
    reads.steps.append(Step(torch.tensor([[24.0], [84.0]]), 6, lookup, stopped))
    found = summarise([reads], 1, 0.0, 0.0)
    assert found.kv_budgets == pytest.approx((0.25, 0.2))
    assert found.kv_budget == pytest.approx(0.225)
    assert found.lookup_budget == pytest.approx(0.025)
    assert found.answer_budgets[0] == pytest.approx(0.4)  # the second pass alone
    assert found.answer_budgets[1] != found.answer_budgets[1]  # it had stopped: NaN


def test_no_step_no_budget():
    budget, by_layer = mean_budget([LayerReads(100)])
    assert budget != budget
    assert by_layer[0] != by_layer[0]


def test_a_user_input_in_blocks_counts_the_mean_over_its_blocks(model, ctx):
    """Blocks of 5 in 12 tokens: three blocks, of which the first has two tokens only."""
    cache = ctx.cache(squeezed.Squeezed(rule="topp", top_p=0.5, block=5))
    kept = []
    layer = cache.layers[0]
    select = layer.selector.select

    class Watching:
        block = 5

        def select(self, query, valid):
            selection = select(query, valid)
            kept.append(selection.rows())
            return selection

    layer.selector = Watching()
    with torch.inference_mode():
        model(QUESTION[None], past_key_values=cache)
    assert kept[0].shape == (1, 2, 3)
    want = (kept[0].mean(-1) + WINDOW) / ctx.tokens
    torch.testing.assert_close(cache.reads[0].steps[0].read() / ctx.tokens, want)
