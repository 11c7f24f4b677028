"""Methods that draw keys at random, and attention that weighs what was drawn."""

import dataclasses

import pytest
import torch
from squeezed_kernels import attend_weighted

import squeezed
from squeezed.methods.magicpig import chance, hash_codes
from squeezed.methods.vattention import ranks, sample_size
from tests.squeezed.conftest import first_pass, logits, random_ids

QUESTION = random_ids(12, seed=3)


def asked(length=1, seed=0):
    return torch.randn(1, 4, length, 16, generator=torch.Generator().manual_seed(seed))


# --- Weights ------------------------------------------------------------------------------------------------


def test_a_row_that_weighs_three_is_three_rows(ctx):
    layer = ctx.layers[0]
    thrice = dataclasses.replace(
        layer,
        keys=torch.cat([layer.keys[:, :1], layer.keys[:, :1], layer.keys], dim=1),
        values=torch.cat([layer.values[:, :1], layer.values[:, :1], layer.values], dim=1),
    )
    weights = torch.zeros(1, 4, 1, 513)
    weights[..., 0] = torch.tensor(3.0).log()
    found = attend_weighted(asked(), layer.keys, layer.values, weights, 0.3)
    ones = torch.zeros(1, 4, 1, 515)
    want = attend_weighted(asked(), thrice.keys, thrice.values, ones, 0.3)
    for a, b in zip(found, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_query_heads_keep_rows_of_their_own(ctx):
    layer = ctx.layers[0]
    weights = torch.full((1, 4, 2, 513), -torch.inf)
    weights[0, 0, :, :5] = 0.0
    weights[0, 1, :, 5:9] = 0.0
    weights[0, 2:, :, 9:] = 0.0
    out, _ = attend_weighted(asked(2), layer.keys, layer.values, weights, 0.3)
    rows = torch.cat([torch.arange(5, 9), torch.arange(513, 613)])
    plain = 0.3 * asked(2)[0, 1] @ layer.keys[0, rows].T
    want = plain.softmax(-1) @ layer.values[0, rows]
    torch.testing.assert_close(out[0, 1], want, rtol=1e-4, atol=1e-5)


# --- vAttention ---------------------------------------------------------------------------------------------


def test_the_sample_that_a_tolerance_needs():
    # z 1.645, deviation .1, 1000 rows, a denominator of 164.5, a tenth of it: 100 rows.
    found = sample_size(*map(torch.tensor, (0.1, 1000.0, 164.5)), 0.1, 1.645)
    assert found.item() == pytest.approx(100, abs=1)
    wider = sample_size(*map(torch.tensor, (0.2, 1000.0, 164.5)), 0.1, 1.645)
    assert wider.item() == pytest.approx(400, abs=1)


def test_ranks_are_places_in_the_order():
    generator = torch.Generator().manual_seed(0)
    rest = torch.rand(2, 3, 5, 41, generator=generator) < 0.6
    order = torch.rand(3, 41, generator=generator)
    found = ranks(rest, order)
    for member, head, token in torch.cartesian_prod(*map(torch.arange, (2, 3, 5))).tolist():
        rows = rest[member, head, token].nonzero().flatten().tolist()
        by_order = sorted(rows, key=lambda row: order[head, row].item())
        assert [found[member, head, token, row].item() for row in by_order] == list(
            range(len(rows))
        )


def vattention(**settings):
    given = {"sparsity": 0.5, "sinks": 8, "first": squeezed.Oracle(block=1)} | settings
    return squeezed.VAttention(**given)


def test_drawn_rows_weigh_what_they_stand_for(ctx):
    selection = vattention().bind(ctx, "reference")[0].select(asked(3), None)
    weights = selection.log_weights.unflatten(1, (2, 2))
    assert torch.equal(weights[:, :, 0], weights[:, :, 1])
    assert torch.equal(weights[:, :, 0].isfinite(), selection.keep)
    torch.testing.assert_close(
        weights[:, :, 0].exp().sum(-1), torch.full((1, 2, 3), 513.0), rtol=1e-4, atol=1e-2
    )
    sinks = ctx.layers[0].positions < 8
    assert bool((weights[0, :, 0, 0][sinks] == 0).all())


def test_a_wider_tolerance_reads_less_and_the_size_is_never_passed(model, ctx):
    budgets = []
    for error in (0.02, 0.2, 2.0):
        method = vattention(sparsity=None, kv_budget=0.6, error=error)
        cache = first_pass(model, ctx, method, QUESTION)
        budgets.append(torch.stack([each.per_member() for each in cache.reads]).mean().item())
    assert budgets[0] >= budgets[1] >= budgets[2]
    assert budgets[0] > 1.2 * budgets[2]
    assert budgets[0] <= 0.605


@pytest.mark.parametrize("settings", [{"base": 0.2}, {"base": 0.2, "heavy": 0.8}, {"sinks": 90}])
def test_a_size_without_room_for_the_sample_is_refused(model, ctx, settings):
    with pytest.raises(squeezed.BudgetError, match="rows that are always kept") as refused:
        first_pass(model, ctx, vattention(sparsity=None, kv_budget=0.19, **settings), QUESTION)
    least = float(str(refused.value).rpartition("=")[2])
    method = vattention(sparsity=None, kv_budget=least, error=2.0, **settings)
    cache = first_pass(model, ctx, method, QUESTION)
    read = torch.stack([each.per_member() for each in cache.reads]).mean().item()
    assert least - 0.06 < read <= least + 1 / ctx.tokens  # nothing is drawn beyond that sample


def test_the_mean_over_draws_is_near_the_truth(ctx):
    """The denominator of the softmax, over 60 seeds."""
    layer, found = ctx.layers[1], []
    query = layer.queries[None, :, -1:].float()
    for seed in range(60):
        method = vattention(sparsity=0.7, seed=seed, error=0.3)
        weights = method.bind(ctx, "reference")[1].select(query, None).log_weights
        found.append(attend_weighted(query, layer.keys, layer.values, weights, layer.scale)[1])
    everything = torch.zeros(1, 4, 1, 513)
    want = attend_weighted(query, layer.keys, layer.values, everything, layer.scale)[1]
    mean = torch.stack(found).exp().mean(0)
    torch.testing.assert_close(mean, want.exp(), rtol=0.1, atol=0.0)


def test_one_seed_one_draw(model, ctx):
    first, again, other = (
        logits(model, ctx, vattention(seed=seed), QUESTION) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# --- MagicPIG -----------------------------------------------------------------------------------------------


def test_the_chance_to_meet_in_two_tables():
    # One bit, a right angle, two tables: each meets with a half, both with a quarter; the weight is 4.
    assert chance(torch.tensor(0.0), 1, 2).item() == pytest.approx(0.25)
    assert chance(torch.tensor(1.0), 10, 5).item() == pytest.approx(1.0)
    assert chance(torch.tensor(-1.0), 10, 5).item() == pytest.approx(0.0, abs=1e-6)


def test_the_chance_is_how_often_it_happens():
    generator = torch.Generator().manual_seed(0)
    pair = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0]])
    planes = torch.randn(2 * 4 * 3000, 3, generator=generator)
    codes = hash_codes(pair, planes, 2).unflatten(
        1, (3000, 4)
    )  # 3000 times four tables of two bits
    often = ((codes[0] == codes[1]).sum(-1) >= 2).float().mean().item()
    assert often == pytest.approx(chance(torch.tensor(0.8), 2, 4).item(), abs=0.03)


def test_magicpig_weighs_by_the_inverse_chance_and_reads_ids(ctx):
    method, layer = squeezed.MagicPIG(sparsity=0.5, bits=4, tables=20, sinks=2), ctx.layers[0]
    selector = method.bind(ctx, "reference")[0]
    query = layer.queries[None, :, -3:].float()
    selection = selector.select(query, None)
    met = selector.met(query.unflatten(1, (2, 2)), selector.tables)
    weights = selection.log_weights.unflatten(1, (2, 2))
    taken = weights.isfinite()
    sinks = (layer.positions < 2)[None, :, None, None].expand_as(taken)
    assert torch.equal(taken, (met >= 2) | sinks)
    assert torch.equal(selection.keep, taken.any(2))
    keys = layer.keys[:, :513] - layer.keys[:, :513].mean(1, keepdim=True)
    cosine = torch.nn.functional.cosine_similarity(
        query.unflatten(1, (2, 2)).unsqueeze(-2), keys[None, :, None, None], dim=-1
    )
    want = -(chance(cosine, 4, selector.tables) + 1e-4).log()
    drawn = taken & ~sinks
    torch.testing.assert_close(weights[drawn], want[drawn], rtol=1e-3, atol=1e-3)
    assert weights[drawn].max() > 1  # some were unlikely to be met
    assert not weights[sinks].any()
    torch.testing.assert_close(selection.lookup, met.sum((2, 4)).float() * 4 / 128)


def test_tables_are_counted_one_by_one(ctx):
    selector = squeezed.MagicPIG(sparsity=0.5, bits=4, tables=20).bind(ctx, "reference")[0]
    query = torch.randn(3, 2, 2, 70, 16, generator=torch.Generator().manual_seed(1))
    found = selector.met(query, 7)
    asked = hash_codes(query, selector.hashed.planes, 4)[..., None, :7]
    stored = selector.hashed.codes.transpose(1, 2)[None, :, None, None, :, :7]
    assert torch.equal(found, (asked == stored).sum(-1).to(found.dtype))


def test_a_smaller_size_looks_into_fewer_tables(ctx):
    def tables(sparsity):
        method = squeezed.MagicPIG(sparsity=sparsity, bits=4, tables=60)
        return method.bind(ctx, "reference")[0].tables

    assert tables(0.95) < tables(0.7) < tables(0.3) <= 60


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (squeezed.VAttention, {"error": 0}, "error is 0"),
        (squeezed.VAttention, {"risk": 0.7}, "risk is 0.7"),
        (squeezed.VAttention, {"heavy": 0}, "heavy is 0"),
        (squeezed.VAttention, {"first": "oracle"}, "first is 'oracle'"),
        (squeezed.Twilight, {"first": "oracle"}, "first is 'oracle'"),
        (squeezed.MagicPIG, {"bits": 16}, "bits is 16"),
        (squeezed.MagicPIG, {"tables": 1}, "tables is 1"),
    ],
)
def test_bad_settings_are_refused(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)
