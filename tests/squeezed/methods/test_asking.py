"""How methods are asked: what is refused, and what a refusal says."""

import pytest

import squeezed
from squeezed.methods.base import BudgetedMethod
from squeezed.methods.ruled import RuledMethod
from tests.squeezed.conftest import random_ids

SIZED = [cls for cls in squeezed.METHODS.values() if issubclass(cls, BudgetedMethod)]
RULED = [squeezed.Squeezed, squeezed.Oracle, squeezed.Quest]


def test_every_method_but_full_is_asked_for_a_size():
    assert set(squeezed.METHODS) - {"full"} == {
        name for name, cls in squeezed.METHODS.items() if cls in SIZED
    }


@pytest.mark.parametrize("cls", SIZED)
@pytest.mark.parametrize(
    "asked",
    [
        {"sparsity": 1.0},
        {"sparsity": 1.5},
        {"sparsity": -0.1},
        {"sparsity": float("nan")},
        {"kv_budget": 0},
        {"kv_budget": 1.1},
        {"kv_tokens": 0},
        {"dense_layers": -1},
    ],
    ids=str,
)
def test_sizes_out_of_range_are_refused(cls, asked):
    with pytest.raises(ValueError, match=f"{next(iter(asked))} is"):
        cls(**asked)


@pytest.mark.parametrize("cls", SIZED)
def test_one_way_of_asking_at_a_time(cls):
    with pytest.raises(ValueError, match="sparsity and kv_budget are both given"):
        cls(sparsity=0.9, kv_budget=0.1)
    with pytest.raises(ValueError, match="kv_budget and kv_tokens are both given"):
        cls(kv_tokens=5, kv_budget=0.1)


@pytest.mark.parametrize("cls", SIZED)
def test_nothing_asked_drops_ninety_per_cent(cls):
    assert cls().sparsity == 0.9


@pytest.mark.parametrize("cls", RULED)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "best"}, "rule is 'best'; expected one of threshold, topk, topp"),
        ({"scope": "token"}, "scope is 'token'; expected one of model, layer, head"),
        ({"reduce": "sum"}, "reduce is 'sum'; expected one of mean, max"),
        ({"block": 0}, "block is 0"),
        ({"rule": "topk", "top_p": 0.5}, "top_p is given, but rule is 'topk'"),
        ({"rule": "topp", "top_p": 1.5}, "top_p is 1.5"),
        ({"rule": "topp", "top_p": 0.0}, "top_p is 0.0"),
        ({"rule": "topp", "top_p": 0.5, "sparsity": 0.5}, "top_p is given beside a size"),
        ({"rule": "topp", "top_p": 0.5, "dense_layers": -1}, "dense_layers is -1"),
    ],
    ids=str,
)
def test_bad_rules_are_named(cls, settings, message):
    with pytest.raises(ValueError, match=message):
        cls(**settings)


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (squeezed.StreamingLLM, {"sinks": -1}, "sinks is -1"),
        (squeezed.Quest, {"page": 0}, "page is 0"),
        (squeezed.Quest, {"rule": "threshold"}, "Quest has no calibration for"),
        (squeezed.Quest, {"rule": "topp"}, "Quest has no calibration for"),
        (squeezed.SnapKV, {"observe": "all"}, "observe is 'all'; expected one of window, input"),
        (squeezed.SnapKV, {"queries": 0}, "queries is 0"),
        (squeezed.SnapKV, {"kernel": 4}, "kernel is 4; expected an odd width"),
        (squeezed.H2O, {"recent": 1.1}, "recent is 1.1"),
        (squeezed.Squeezed, {"coarse_sparsity": 1.0}, "coarse_sparsity is 1.0"),
        (squeezed.Squeezed, {"coarse_sparsity": (0.7, 0.5)}, "expected shares in"),
    ],
    ids=str,
)
def test_bad_settings_of_a_method_are_named(cls, settings, message):
    with pytest.raises(ValueError, match=message):
        cls(**settings)


@pytest.mark.parametrize(
    "method",
    [
        squeezed.Squeezed(kv_budget=0.1),
        squeezed.Squeezed(kv_tokens=101),
        squeezed.Quest(kv_budget=0.17),
        squeezed.Oracle(kv_budget=0.1),
        squeezed.Random(kv_tokens=20),
        squeezed.StreamingLLM(kv_budget=0.3, dense_layers=1),
    ],
    ids=lambda method: type(method).__name__,
)
def test_budget_below_window_and_lookup_is_refused(ctx, method):
    with pytest.raises(ValueError, match="does not cover the observation window"):
        ctx.cache(method)


@pytest.mark.parametrize("cls", SIZED)
def test_every_method_refuses_a_budget_that_is_too_small_and_says_what_would_do(model, ctx, cls):
    rule = {"rule": "topk"} if issubclass(cls, RuledMethod) else {}
    with pytest.raises(squeezed.BudgetError, match="does not cover the observation wi") as refused:
        cls(kv_budget=0.02, **rule).bind(ctx, "reference")
    said = str(refused.value)
    assert "\n" not in said
    least = float(said.rsplit("=", 1)[1])
    method = cls(kv_budget=least, **rule)
    read = squeezed.generate(model, ctx, random_ids(8, seed=1), method=method).stats.kv_budget
    group = 40 / ctx.tokens  # one group is kept in any case
    if cls.sized:
        assert read <= least + group


def test_the_refusal_names_a_budget_that_works(model, ctx):
    for settings in ({}, {"dense_layers": 1}, {"residual": True}):
        with pytest.raises(ValueError, match="ask for at least") as refused:
            ctx.cache(squeezed.Squeezed(kv_budget=0.05, rule="topk", **settings))
        least = float(str(refused.value).rsplit("=", 1)[1])
        with pytest.raises(ValueError, match="ask for at least"):
            ctx.cache(squeezed.Squeezed(kv_budget=least - 0.002, rule="topk", **settings))
        method = squeezed.Squeezed(kv_budget=least, rule="topk", **settings)
        stats = squeezed.generate(model, ctx, random_ids(8, seed=1), method=method).stats
        cluster = 40 / ctx.tokens  # one cluster is kept in any case
        assert least - 0.01 <= stats.kv_budget <= least + cluster


def test_a_budget_with_every_layer_dense_is_refused(ctx):
    with pytest.raises(ValueError, match="dense_layers is 3, which is all 3 layers"):
        ctx.cache(squeezed.Squeezed(kv_budget=0.5, dense_layers=3))


def test_coarse_shares_must_fit_the_depth(deep):
    with pytest.raises(ValueError, match=r"2 shares, but the context has 2 levels; expected 1"):
        deep[2].cache(squeezed.Squeezed(coarse_sparsity=(0.5, 0.75)))


def test_an_unknown_backend_is_refused(ctx):
    with pytest.raises(ValueError, match="backend is 'fast'"):
        ctx.cache(squeezed.Full(), backend="fast")


def test_every_file_with_a_method_is_a_method_by_its_name():
    assert squeezed.METHODS["streaming"] is squeezed.StreamingLLM
    assert {cls.__module__ for cls in squeezed.METHODS.values()} == {
        f"squeezed.methods.{name}" for name in squeezed.METHODS
    }
