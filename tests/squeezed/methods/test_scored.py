"""Methods that choose once by a score of every key, on examples worked by hand."""

import dataclasses
import math

import pytest
import torch

import squeezed
from tests.squeezed.conftest import context_of, kept_places, layer_of

NOTHING = [[0.0]]
ORDER = [0, 2, 4, 6, 8, 9, 1, 3, 5, 7]  # places of the clustered rows
PLACES = [*ORDER, 10, 11]  # and those of the window


def by_place(values, **fields):
    """Ten clustered keys ``[10, D]`` in the order of the context, stored in another; a window of zeros."""
    keys = torch.as_tensor(values, dtype=torch.float32).view(10, -1)
    window = torch.zeros(2, keys.shape[1])
    return layer_of(torch.cat([keys[ORDER], window]), ORDER, **fields)


def two_heads(layer):
    """The layer with its head twice."""

    def twice(tensor):
        return torch.cat([tensor, tensor])

    levels = tuple(
        dataclasses.replace(
            level,
            centroids=twice(level.centroids),
            offsets=twice(level.offsets),
            counts=twice(level.counts),
        )
        for level in layer.levels
    )
    return dataclasses.replace(
        layer,
        keys=twice(layer.keys),
        values=twice(layer.values),
        positions=twice(layer.positions),
        levels=levels,
    )


def rows_of_heads(ctx, method, layer=0):
    """Places that each head keeps."""
    keep = method.bind(ctx, "reference")[layer].keep
    places = ctx.layers[layer].positions
    return [sorted(places[h][keep[h]].tolist()) for h in range(len(keep))]


def test_knorm_keeps_the_smallest():
    ctx = context_of(by_place([3.0, 1, 2, 9, 9, 9, 9, 9, 9, 9]))
    assert kept_places(ctx, squeezed.Knorm(sparsity=0.9), NOTHING) == [1]
    assert kept_places(ctx, squeezed.Knorm(sparsity=0.7), NOTHING) == [0, 1, 2]


def test_keydiff_keeps_the_key_that_stands_apart():
    # The mean of the unit keys e1 (nine times) and e2 is nearer to e1; windows of zeros change nothing.
    keys = [[1.0, 0.0]] * 9 + [[0.0, 5.0]]
    ctx = context_of(by_place(keys))
    assert kept_places(ctx, squeezed.KeyDiff(sparsity=0.9), [[0.0, 0.0]]) == [9]
    scores = squeezed.KeyDiff().scores(ctx, 0)
    cosines = sorted({round(-each, 3) for each in scores.flatten().tolist()})
    assert cosines == [round(1 / math.sqrt(82), 3), round(9 / math.sqrt(82), 3)]


def test_tova_averages_over_all_heads_of_the_layer():
    # Weights (.6, .3, .1) and (0, .3, .7) of the last query's two heads: the mean is .3, .3, .4.
    layer = two_heads(by_place([0.0] * 10))
    keys = torch.full_like(layer.keys, -50.0)
    for head, weights in enumerate(((0.6, 0.3, 0.1), (1e-9, 0.3, 0.7))):
        for place, weight in enumerate(weights):
            row = (layer.positions[head] == place).nonzero().item()
            keys[head, row] = math.log(weight)
    queries = torch.stack([torch.tensor([[9.0], [1.0]])] * 2)  # only the last one looks
    ctx = context_of(dataclasses.replace(layer, keys=keys, queries=queries))
    scores = ctx.layers[0].in_place_order(squeezed.TOVA().scores(ctx, 0))
    torch.testing.assert_close(
        scores[:, :3], torch.tensor([[0.3, 0.3, 0.4]] * 2), atol=1e-5, rtol=0
    )
    assert rows_of_heads(ctx, squeezed.TOVA(sparsity=0.9)) == [[2], [2]]


def test_observed_attention_is_a_mean_over_the_queries_that_saw_the_key():
    received = torch.tensor([6.0, 0, 0, 0, 0, 0, 0, 0, 0, 3.0])  # of 12 and of 3 queries
    layer = by_place([0.0] * 10)
    stored = received[layer.positions[0].long()][None]
    ctx = context_of(dataclasses.replace(layer, statistics={"received_attention": stored}))
    assert kept_places(ctx, squeezed.ObservedAttention(sparsity=0.9), NOTHING) == [9]
    assert kept_places(ctx, squeezed.H2O(sparsity=0.9, recent=0.0), NOTHING) == [0]


def test_chunkkv_keeps_whole_chunks_and_cuts_the_last():
    values = [0.0] * 10
    values[4], values[8] = 5.0, 4.0
    ctx = context_of(by_place(values, queries=torch.ones(1, 2, 1)))
    method = squeezed.ChunkKV(sparsity=0.5, chunk=4)
    assert kept_places(ctx, method, NOTHING) == [4, 5, 6, 7, 8]  # the last chunk holds two: 8 and 9


def test_the_window_belongs_into_the_denominator():
    """A head with 90 % of its mass on the window has little to say; of keys alone it would say as much."""
    sharp = by_place([4.0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    layer = two_heads(sharp)
    keys = layer.keys.clone()
    keys[1, 10:] = math.log(
        9 * (math.exp(4) + 9) / 2
    )  # nine times the sum of the others, in two keys
    layer = dataclasses.replace(layer, keys=keys, queries=torch.ones(2, 2, 1))
    ctx = context_of(layer)
    last = {"kernel": 1, "queries": 1}  # the last query sees all of the window
    scores = squeezed.SnapKV(**last).scores(ctx, 0)
    free = (math.exp(4) + 9) / (math.exp(4) + 11)
    torch.testing.assert_close(scores.sum(1), torch.tensor([free, 0.1]))
    # Six keys of two heads. The best: .83 of head 0, .086 of head 1, then four of head 0 at .015.
    method = squeezed.AdaKV(sparsity=0.7, floor=0.0, **last)
    assert [len(each) for each in rows_of_heads(ctx, method)] == [5, 1]
    even = [len(each) for each in rows_of_heads(ctx, squeezed.SnapKV(sparsity=0.7, **last))]
    assert even == [3, 3]


def test_snapkv_weighs_a_user_inputs_own_tokens_too(ctx):
    """With ``observe="input"`` a query that looks at its own neighbours has less of a say."""
    query = torch.randn(1, 4, 2, 16, generator=torch.Generator().manual_seed(1))
    own = torch.zeros(1, 4, 2)
    own[:, :, 0] = 60.0  # the first query sees an own key far above all of the context
    method = squeezed.SnapKV(sparsity=0.9, observe="input", kernel=1)
    selector = method.bind(ctx, "reference")[0]
    selector.observe(query, None, own, dense=False)
    alone = method.bind(ctx, "reference")[0].select(query[:, :, 1:], None)
    assert torch.equal(selector.keep, alone.keep[:, :, 0])
    assert not torch.equal(method.bind(ctx, "reference")[0].select(query, None).keep, alone.keep)


def test_pyramid_sizes_fall_from_layer_to_layer(ctx):
    keeps = [each.keep.sum(1) for each in squeezed.PyramidKV(sparsity=0.8).bind(ctx, "reference")]
    sizes = [each.unique().item() for each in keeps]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sum(sizes) / 3 == pytest.approx(0.2 * 513, abs=1.5)


def test_one_threshold_keeps_the_best_of_all_layers(ctx):
    method = squeezed.KVzip(sparsity=0.8, sinks=0)
    bound = method.bind(ctx, "reference")
    kept = torch.cat([method.scores(ctx, n)[each.keep] for n, each in enumerate(bound)])
    left = torch.cat([method.scores(ctx, n)[~each.keep] for n, each in enumerate(bound)])
    assert kept.min() >= left.max()
    assert len(kept) == round(0.2 * 6 * 513)
    assert len({int(each.keep.sum()) for each in bound}) > 1


def test_layers_of_any_score_can_share_a_size_as_cakes_do(ctx):
    def sizes(method):
        return [int(each.keep.sum()) for each in method.bind(ctx, "reference")]

    cake = sizes(squeezed.CAKE(sparsity=0.8))
    assert len(set(cake)) > 1
    assert sizes(squeezed.Knorm(sparsity=0.8, share="cake")) == cake
    assert sizes(squeezed.Knorm(sparsity=0.8)) != cake
    for own in (squeezed.CAKE, squeezed.LAVa):
        with pytest.raises(ValueError, match="divides a size in a way of its own"):
            own(share="adaptive")


def test_chunks_and_the_weight_in_the_output_go_around_any_score():
    layer = by_place([3.0, 1, 9, 9, 9, 9, 2, 2, 9, 9])  # Knorm keeps the smallest
    norms = torch.ones(10)
    norms[6] = 1000.0
    stored = norms[layer.positions[0].long()][None]
    ctx = context_of(dataclasses.replace(layer, statistics={"output_norm": stored}))
    assert kept_places(ctx, squeezed.Knorm(sparsity=0.8), NOTHING) == [1, 6]
    chunks = squeezed.ChunkKV(sparsity=0.8, chunk=2, first=squeezed.Knorm())
    assert kept_places(ctx, chunks, NOTHING) == [0, 1]  # means 2 and 2: the first of equals
    scores = squeezed.KeyDiff()
    keys = torch.full((10, 1), 1.0)
    keys[1], keys[6] = -1.0, -1.0
    ctx = context_of(dataclasses.replace(by_place(keys), statistics={"output_norm": stored}))
    assert kept_places(ctx, dataclasses.replace(scores, sparsity=0.9), NOTHING) == [1]
    critical = squeezed.CriticalKV(sparsity=0.9, first=scores)
    assert kept_places(ctx, critical, NOTHING) == [6]
    for around in (squeezed.ChunkKV, squeezed.CriticalKV):
        with pytest.raises(ValueError, match="expected a method that scores every key once"):
            around(first=squeezed.Quest())


def test_criticalkv_fills_the_second_half_by_the_products():
    values = [0.0] * 10
    values[2], values[5], values[7] = 3.0, 2.0, 1.0
    layer = by_place(values, queries=torch.ones(1, 2, 1))
    norms = torch.ones(10)
    norms[7] = 1000.0
    stored = norms[layer.positions[0].long()][None]
    ctx = context_of(dataclasses.replace(layer, statistics={"output_norm": stored}))
    assert kept_places(ctx, squeezed.SnapKV(sparsity=0.8, kernel=1), NOTHING) == [2, 5]
    assert kept_places(ctx, squeezed.CriticalKV(sparsity=0.8, kernel=1), NOTHING) == [2, 7]


def test_lava_gives_more_to_layers_whose_scores_are_even_and_to_large_values():
    layer = two_heads(by_place([4.0, 0, 0, 0, 0, 0, 0, 0, 0, 0], queries=torch.ones(1, 2, 1)))
    layer = dataclasses.replace(layer, queries=torch.ones(2, 2, 1))
    even = dataclasses.replace(layer, keys=torch.zeros_like(layer.keys))
    ctx = context_of(layer, even)
    bound = squeezed.LAVa(sparsity=0.6, kernel=1).bind(ctx, "reference")
    sharp_layer, even_layer = (int(each.keep.sum()) for each in bound)
    assert sharp_layer < even_layer
    assert sharp_layer + even_layer == pytest.approx(16, abs=1)
    values = torch.ones_like(even.values)
    values[1] *= 10
    larger = context_of(dataclasses.replace(even, values=values))
    counts = [len(each) for each in rows_of_heads(larger, squeezed.LAVa(sparsity=0.6, floor=0.0))]
    assert counts == [0, 8]


def four_heads():
    layer = two_heads(two_heads(by_place([0.0] * 10)))
    return context_of(dataclasses.replace(layer, queries=torch.ones(4, 2, 1)))


def test_duo_heads_with_the_largest_numbers_keep_everything(tmp_path):
    # Numbers .9, .1, .5, .3: with room for two whole heads, those are heads 0 and 2.
    pattern = tmp_path / "full_attention_heads.tsv"
    pattern.write_text("0.9\t0.1\t0.5\t0.3\n")
    method = squeezed.DuoAttention(sparsity=0.4, sinks=1, local=3, pattern=str(pattern))
    kept = rows_of_heads(four_heads(), method)
    assert kept == [list(range(10)), [0, 9], list(range(10)), [0, 9]]
    assert (method.caveat, "stand-in" in squeezed.DuoAttention().caveat) == ("", True)
    # One row more than that: the next head in order gets it, as its latest.
    more = dataclasses.replace(method, sparsity=0.375)
    assert rows_of_heads(four_heads(), more)[3] == [0, 8, 9]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.9 0.1 0.5", "line 1: 3 numbers; expected 4"),
        ("0.9 0.1 0.5 x", "line 1: could not convert"),
        ("0.9 0.1 0.5 0.3\n" * 2, "2 lines, but the model has 1 layers"),
    ],
)
def test_a_pattern_of_another_model_is_refused(tmp_path, text, message):
    (tmp_path / "heads.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        squeezed.DuoAttention(pattern=str(tmp_path / "heads.tsv")).bind(four_heads(), "reference")
    with pytest.raises(FileNotFoundError, match="is no file"):
        squeezed.DuoAttention(pattern=str(tmp_path / "none.tsv")).bind(four_heads(), "reference")


def test_sinks_are_kept_and_a_budget_that_cannot_hold_them_is_refused(ctx):
    method = squeezed.Knorm(sparsity=0.9, sinks=7)
    assert set(range(7)) <= set(rows_of_heads(ctx, method)[0])
    assert len(rows_of_heads(ctx, method)[0]) == round(0.1 * 513)
    with pytest.raises(squeezed.BudgetError, match="rows that are always kept"):
        squeezed.Knorm(kv_tokens=102, sinks=7).bind(ctx, "reference")


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (squeezed.Knorm, {"share": "fairly"}, "share is 'fairly'"),
        (squeezed.Knorm, {"floor": 2}, "floor is 2"),
        (squeezed.PyramidKV, {"beta": 0.5}, "beta is 0.5"),
        (squeezed.Knorm, {"sinks": -1}, "sinks is -1"),
        (squeezed.AdaKV, {"observe": "input"}, "only SnapKV"),
        (squeezed.ChunkKV, {"chunk": 0}, "chunk is 0"),
        (squeezed.CAKE, {"tau1": 0}, "tau1 is 0"),
        (squeezed.SnapKV, {"pool": "min"}, "pool is 'min'"),
    ],
)
def test_bad_settings_are_refused(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)


@pytest.mark.parametrize("name", ["h2o", "observed", "kvzip", "criticalkv", "expected_attention"])
def test_a_context_without_the_statistic_is_refused(ctx, name):
    layers = tuple(dataclasses.replace(layer, statistics={}) for layer in ctx.layers)
    bare = squeezed.FixedContext(ctx.ids, layers, ctx.settings, ctx.model_fingerprint)
    with pytest.raises(ValueError, match="needs the statistic"):
        bare.cache(squeezed.METHODS[name]())


def test_scores_do_not_depend_on_the_clustering(model, ctx):
    other = squeezed.prepare(model, ctx.ids, (0.1,), seed=5, statistics=ctx.settings.statistics)
    for name, cls in squeezed.METHODS.items():
        if issubclass(cls, squeezed.methods.ScoredMethod):
            method = cls(sparsity=0.8)
            assert rows_of_heads(other, method) == rows_of_heads(ctx, method), name
