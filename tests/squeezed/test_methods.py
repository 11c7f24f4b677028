"""Methods: what they keep, what their budget measures, and how they are asked."""

import pytest
import torch

import squeezed
from squeezed.accounting import mean_budget
from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex, Level
from tests.squeezed.conftest import random_ids

SIZED = [squeezed.Squeezed, squeezed.Oracle, squeezed.StreamingLLM]


def hand_made_layer() -> LayerIndex:
    """Ten clustered keys in two clusters and a window of two; D = 1, one KV head."""
    keys = torch.tensor([[[0.0]] * 6 + [[3.0]] * 4 + [[0.0]] * 2]).view(1, 12, 1)
    return LayerIndex(
        keys=keys,
        values=torch.arange(12.0).view(1, 12, 1),
        positions=torch.tensor([[0, 2, 4, 6, 8, 9, 1, 3, 5, 7]], dtype=torch.int32),
        levels=(
            Level(torch.tensor([[[0.0], [3.0]]]), torch.tensor([[0, 6, 10]], dtype=torch.int32)),
        ),
        window=2,
        scale=1.0,
    )


CURVE = QuantileCurve(torch.linspace(-5, 0, 11))
QUERY = torch.ones(1, 1, 1, 1)


def test_squeezed_topk_keeps_the_cluster_that_matches():
    selection = squeezed.Squeezed(sparsity=0.6, rule="topk").select(QUERY, hand_made_layer(), CURVE)
    assert selection.row_mask()[0, 0].tolist() == [False] * 6 + [True] * 4
    assert selection.rows().tolist() == [[4]]
    assert selection.centroids == 2


def test_squeezed_threshold_reads_the_curve():
    # Scores per key: 1 / (6 + 4 e^3) = exp(-4.46) and e^3 / (6 + 4 e^3) = exp(-1.46).
    layer = hand_made_layer()
    kept = {
        s: squeezed.Squeezed(sparsity=s).select(QUERY, layer, CURVE).rows().item()
        for s in (0.0, 0.1, 0.3, 0.7, 0.8)
    }
    assert kept == {0.0: 10, 0.1: 10, 0.3: 4, 0.7: 4, 0.8: 0}


def test_oracle_keeps_the_best_single_keys():
    selection = squeezed.Oracle(sparsity=0.8).select(QUERY, hand_made_layer(), CURVE)
    assert selection.row_mask()[0, 0].tolist() == [False] * 6 + [True] * 2 + [False] * 2
    assert selection.centroids == 0


def test_streaming_keeps_first_and_last_by_place():
    layer = hand_made_layer()
    selection = squeezed.StreamingLLM(sparsity=0.6, sinks=1).select(QUERY, layer, CURVE)
    kept = layer.positions[0][selection.row_mask()[0, 0]].tolist()
    assert sorted(kept) == [0, 7, 8, 9]


def test_full_selects_nothing_to_drop():
    assert squeezed.Full().select(QUERY, hand_made_layer(), CURVE) is None


@pytest.mark.parametrize("cls", SIZED)
@pytest.mark.parametrize(
    "asked",
    [
        {"sparsity": 1.0},
        {"sparsity": 1.5},
        {"sparsity": -0.1},
        {"kv_budget": 0},
        {"kv_budget": 1.1},
        {"kv_tokens": 0},
        {"sparsity": float("nan")},
    ],
)
def test_sizes_out_of_range_are_refused(cls, asked):
    with pytest.raises(ValueError, match=next(iter(asked))):
        cls(**asked)


def test_one_way_of_asking_at_a_time():
    with pytest.raises(ValueError, match="sparsity and kv_budget are both given"):
        squeezed.Squeezed(sparsity=0.9, kv_budget=0.1)


@pytest.mark.parametrize("cls", [squeezed.Squeezed, squeezed.Oracle])
def test_unknown_rule(cls):
    with pytest.raises(ValueError, match="rule is 'best'; expected one of threshold, topk"):
        cls(rule="best")


def test_negative_sinks():
    with pytest.raises(ValueError, match="sinks is -1"):
        squeezed.StreamingLLM(sinks=-1)


def budget(model, ctx, method) -> float:
    question = random_ids(12, seed=3)
    return squeezed.generate(model, ctx, question, method=method, max_new_tokens=4).stats.kv_budget


def test_full_reads_everything(model, ctx):
    assert budget(model, ctx, squeezed.Full()) == 1.0


@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.9])
def test_measured_budget_is_kept_rows_window_and_lookup(model, ctx, sparsity):
    tokens, window = ctx.tokens, 100
    clustered = tokens - window
    lookup = round(0.05 * clustered) / 2
    want = (window + (1 - sparsity) * clustered + lookup) / tokens
    got = budget(model, ctx, squeezed.Squeezed(sparsity=sparsity, rule="topk"))
    assert got == pytest.approx(want, abs=0.02)
    without_lookup = (window + (1 - sparsity) * clustered) / tokens
    assert budget(model, ctx, squeezed.Oracle(sparsity=sparsity)) == pytest.approx(
        without_lookup, abs=0.005
    )
    assert budget(model, ctx, squeezed.StreamingLLM(sparsity=sparsity)) == pytest.approx(
        without_lookup, abs=0.005
    )


@pytest.mark.parametrize(
    "method",
    [
        squeezed.Squeezed(kv_budget=0.4, rule="topk"),
        squeezed.Oracle(kv_budget=0.4),
        squeezed.StreamingLLM(kv_budget=0.4),
        squeezed.Squeezed(kv_tokens=245, rule="topk"),
    ],
    ids=str,
)
def test_asked_budget_is_the_measured_one(model, ctx, method):
    assert budget(model, ctx, method) == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(
    "method", [squeezed.Squeezed(kv_budget=0.1), squeezed.Squeezed(kv_tokens=101)], ids=str
)
def test_budget_below_window_and_lookup_is_refused(model, ctx, method):
    with pytest.raises(ValueError, match="does not cover the observation window"):
        budget(model, ctx, method)


@pytest.mark.parametrize("rule", ["threshold", "topk"])
def test_higher_sparsity_never_reads_more(model, ctx, rule):
    # Of one forward pass: later steps differ, as other tokens are generated.
    question = random_ids(12, seed=3)[None]
    budgets = []
    for sparsity in (0, 0.2, 0.5, 0.8, 0.9, 0.99):
        cache = ctx.cache(squeezed.Squeezed(sparsity=sparsity, rule=rule))
        with torch.inference_mode():
            model(question, past_key_values=cache)
        budgets.append(mean_budget(cache.reads)[0])
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[0] > 2 * budgets[-1]
