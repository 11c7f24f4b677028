"""The spread of coarse clusters: what it is, that it finds a lone key, what it costs, where it is kept."""

import dataclasses
import math

import pytest
import torch

import squeezed
from squeezed.index.settings import Conditions
from squeezed.index.spread import spreads
from squeezed.storage import integrity
from tests.squeezed.conftest import (
    WINDOW,
    context_of,
    first_pass,
    kept_places,
    layer_of,
    lookup_of,
    random_ids,
)

QUESTION = random_ids(12, seed=3)
SPREAD = squeezed.Squeezed(sparsity=0.9, rule="topk", coarse_score="spread")
MEAN = dataclasses.replace(SPREAD, coarse_score="mean")


@pytest.mark.parametrize("softcap", [None, 2.5])
def test_spread_is_the_gap_between_the_mean_of_exponentials_and_that_of_the_mean(softcap):
    generator = torch.Generator().manual_seed(3)
    keys = torch.randn(2, 37, 5, generator=generator)
    queries = torch.randn(6, 33, 5, generator=generator)  # three query heads a KV head
    counts = torch.tensor([[7, 0, 30], [1, 35, 1]], dtype=torch.int32)
    centroids = torch.randn(2, 3, 5, generator=generator).bfloat16()
    found = spreads(keys, queries, centroids, counts, 0.7, softcap)
    assert found.dtype == torch.float32
    for head in range(2):
        first = 0
        for cluster, count in enumerate(counts[head].tolist()):
            rows = keys[head, first : first + count].double()
            first += count
            gaps = []
            for query in queries[3 * head : 3 * head + 3].double().flatten(0, 1):
                logits = [0.7 * float(query @ row) for row in rows]
                mean = 0.7 * float(query @ centroids[head, cluster].double())
                if softcap:
                    logits = [softcap * math.tanh(x / softcap) for x in logits]
                    mean = softcap * math.tanh(mean / softcap)
                gaps.append(math.log(sum(map(math.exp, logits)) / count) - mean if count else 0.0)
            want = sum(gaps) / len(gaps)
            assert found[head, cluster].item() == pytest.approx(want, rel=1e-5, abs=1e-5)


def test_huge_logits_are_finite():
    keys = torch.tensor([[[-400.0], [0.0], [400.0]]])
    found = spreads(keys, torch.ones(1, 2, 1), torch.zeros(1, 1, 1), torch.tensor([[3]]), 1.0)
    assert found.item() == pytest.approx(400 - math.log(3))


def lone_key() -> squeezed.FixedContext:
    """Two coarse clusters of ten keys: one near the query, one with a single key that matches it best."""
    keys = [0.5] * 10 + [0.0] * 9 + [3.0] + [0.0, 0.0]
    layer = layer_of(keys, offsets=((0, 10, 20), tuple(range(21))))
    coarse, fine = layer.levels
    asked = (layer.keys[:, :20], torch.full((1, 4, 1), 3.0), coarse.centroids, coarse.counts, 1.0)
    return context_of(
        dataclasses.replace(
            layer, levels=(dataclasses.replace(coarse, spread=spreads(*asked)), fine)
        )
    )


def test_a_lone_matching_key_survives_the_coarse_level():
    ctx, query = lone_key(), [[3.0]]
    one = {"sparsity": 0.95, "rule": "topk"}
    assert kept_places(ctx, squeezed.Squeezed(**one), query) != [19]
    assert kept_places(ctx, squeezed.Squeezed(**one, coarse_score="spread"), query) == [19]


def test_the_spread_that_is_read_is_counted(model, deep):
    read = {}
    for method in (MEAN, SPREAD):
        cache = first_pass(model, deep[2], method, QUESTION)
        layers = zip(cache.reads, deep[2].layers, strict=True)
        read[method.coarse_score] = [(lookup_of(reads.steps[0]), layer) for reads, layer in layers]
    for (mean, layer), (spread, _) in zip(read["mean"], read["spread"], strict=True):
        # 20 coarse clusters a head; the fine ones scored may differ, in whole centroids.
        fine = (spread - 20 * layer.spread_cost - mean) / layer.lookup_cost
        torch.testing.assert_close(fine, fine.round(), rtol=0, atol=1e-3)
    assert deep[2].layers[0].spread_cost == 4 / (2 * 16 * 4)  # a float32 beside a key and a value


@pytest.mark.parametrize("budget", [0.2, 0.4])
def test_a_budget_is_met_with_the_spread(model, deep, budget):
    method = squeezed.Squeezed(kv_budget=budget, rule="topk", coarse_score="spread")
    stats = squeezed.generate(model, deep[2], QUESTION, method=method, max_new_tokens=4).stats
    assert stats.kv_budget == pytest.approx(budget, abs=0.01)


def test_thresholds_are_calibrated_under_the_same_scores(model, deep):
    """On the window's own queries the asked sparsity is the one that is got."""
    method = squeezed.Squeezed(sparsity=0.9, rule="threshold", coarse_score="spread")
    selectors = method.bind(deep[2], "reference")
    kept = 0.0
    for selector, layer in zip(selectors, deep[2].layers, strict=True):
        assert layer.queries is not None
        selection = selector.select(layer.queries[None], None)
        assert selection is not None
        kept += float(selection.row_mask().float().mean()) / len(deep[2].layers)
    assert 1 - kept == pytest.approx(0.9, abs=0.01)


def test_one_level_has_nothing_to_spread(model, deep):
    assert deep[1].layers[0].levels[0].spread is None
    assert Conditions((), "topk", "spread") == Conditions()
    a, b = (first_pass(model, deep[1], each, QUESTION).reads for each in (MEAN, SPREAD))
    for first, second in zip(a, b, strict=True):
        assert torch.equal(first.steps[0].read(), second.steps[0].read())
        assert torch.equal(lookup_of(first.steps[0]), lookup_of(second.steps[0]))


def test_it_is_stored_with_the_index(tmp_path, model):
    ctx = squeezed.prepare(model, random_ids(400 + WINDOW, seed=2), (0.05, 0.2))
    method = squeezed.Squeezed(sparsity=0.8, coarse_score="spread")
    ctx.cache(method)
    loaded = squeezed.FixedContext.load(ctx.save(tmp_path / "index"), model=model)
    for layer, other in zip(ctx.layers, loaded.layers, strict=True):
        assert torch.equal(layer.levels[0].spread, other.levels[0].spread)
        assert other.levels[1].spread is None
    assert Conditions((0.5,), "model", "spread") in loaded.known_calibrations()
    layer = loaded.layers[0]
    broken = dataclasses.replace(
        layer.levels[0], spread=torch.full_like(layer.levels[0].spread, math.nan)
    )
    with pytest.raises(squeezed.IndexCorruptError, match="spread of level 0"):
        integrity.check_layer(
            dataclasses.replace(layer, levels=(broken, layer.levels[1])), loaded.tokens, True
        )


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match=r"coarse_score is 'median'; expected one of mean, spread"):
        squeezed.Squeezed(sparsity=0.9, coarse_score="median")
