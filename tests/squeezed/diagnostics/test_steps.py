"""What a method kept: hand-worked figures, figures against eager attention, and their table."""

import csv
import math

import pytest
import torch

import squeezed
from squeezed.diagnostics.steps import diagnose, measure
from squeezed.diagnostics.table import write_csv
from squeezed.generation.watch import watch
from squeezed.selection.kept import Selection
from tests.squeezed.conftest import attention_weights, layer_of, random_ids
from tests.squeezed.model.test_hybrids import case_of

QUESTION = random_ids(12, seed=3)
COLUMNS = [
    "layer",
    "head",
    "phase",
    "steps",
    "recall",
    "mass",
    "oracle_mass",
    "kv_budget",
    "rows_budget",
    "lookup_budget",
]


def mean(rows, column, phase="input") -> float:
    found = [row[column] for row in rows if row["phase"] == phase]
    return sum(found) / len(found)


# --- Figures ------------------------------------------------------------------------------------------------


def hand_made(keep, block=None, lookup=0.0):
    """Four clustered keys with logits ln 1..4 for the query 1, and a window of logit ln 5."""
    layer = layer_of([math.log(i) for i in range(1, 6)], range(4), offsets=((0, 2, 4),), window=1)
    return layer, Selection(torch.tensor(keep).view(1, 1, -1, 4), None, lookup, block)


def test_hand_worked():
    layer, selection = hand_made([True, False, False, True], lookup=0.5)
    found = measure(layer, (torch.ones(1, 1, 1, 1), selection), 1)
    assert found["recall"].item() == 0.5  # the oracle keeps the keys of weight 4 and 3
    assert found["mass"].item() == pytest.approx((1 + 4 + 5) / 15)
    assert found["oracle_mass"].item() == pytest.approx((3 + 4 + 5) / 15)
    assert found["rows_budget"].item() == pytest.approx(3 / 5)
    assert found["lookup_budget"].item() == pytest.approx(0.5 / 5)
    assert found["kv_budget"].item() == pytest.approx(3.5 / 5)


def test_blocks_and_their_padding_hand_worked():
    """Three query tokens in blocks of two: the first block has one token, padding counts nothing."""
    layer, selection = hand_made([[True, False, False, True], [False, False, True, True]], block=2)
    query = torch.tensor([9.0, 1.0, 1.0, 1.0]).view(1, 1, 4, 1)
    found = measure(layer, (query, selection), 3)
    assert found["recall"].item() == pytest.approx((0.5 + 1) / 2)
    assert found["mass"].item() == pytest.approx((10 / 15 + 2 * 12 / 15) / 3)


def test_nothing_kept_has_no_recall_but_the_windows_mass():
    layer, selection = hand_made([False] * 4)
    found = measure(layer, (torch.ones(1, 1, 1, 1), selection), 1)
    assert math.isnan(found["recall"].item())
    assert found["mass"].item() == pytest.approx(5 / 15)
    assert found["rows_budget"].item() == pytest.approx(1 / 5)


def test_the_oracle_recalls_itself_and_full_everything(model, ctx):
    rows = diagnose(model, ctx, QUESTION, squeezed.Oracle(sparsity=0.8), 4)
    assert [list(row) for row in rows] == [COLUMNS] * len(rows)
    assert len(rows) == 3 * 2 * 2  # layers, heads, phases
    for row in rows:
        assert row["recall"] == pytest.approx(1)
        assert row["mass"] == pytest.approx(row["oracle_mass"])
        assert row["kv_budget"] == pytest.approx((100 + 0.2 * 513) / 613, abs=0.002)
        assert row["steps"] == {"input": 1, "token": 3}[row["phase"]]
    for row in diagnose(model, ctx, QUESTION, squeezed.Full(), 2):
        assert [row[name] for name in COLUMNS[4:]] == pytest.approx([1, 1, 1, 1, 1, 0])


@pytest.mark.parametrize(
    "method",
    [
        squeezed.Squeezed(sparsity=0.8),
        squeezed.Squeezed(sparsity=0.8, rule="topk", block=5),
        squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True),
        squeezed.Squeezed(kv_budget=0.7, rule="topk", dense_layers=1),
        squeezed.SnapKV(sparsity=0.8, observe="input"),
        squeezed.Quest(sparsity=0.8),
    ],
    ids=str,
)
def test_budgets_average_to_the_measured_one(model, ctx, method):
    rows = diagnose(model, ctx, QUESTION, method, 4)
    stats = squeezed.generate(model, ctx, QUESTION, method=method, max_new_tokens=4).stats
    steps = sum(row["steps"] for row in rows)
    for column, want in (("kv_budget", stats.kv_budget), ("lookup_budget", stats.lookup_budget)):
        total = sum(row[column] * row["steps"] for row in rows)
        assert total / steps == pytest.approx(want, abs=1e-5)
    for row in rows:
        assert 0 <= row["mass"] <= row["oracle_mass"] + 0.1
        assert row["kv_budget"] == pytest.approx(row["rows_budget"] + row["lookup_budget"])


def test_scoring_beats_chance_and_the_oracle_beats_both(model, ctx):
    found = {
        type(method).__name__: diagnose(model, ctx, QUESTION, method, 4)
        for method in (
            squeezed.Squeezed(sparsity=0.8, rule="topk"),
            squeezed.Random(sparsity=0.8),
            squeezed.Oracle(sparsity=0.8),
        )
    }
    for column in ("recall", "mass"):
        for phase in ("input", "token"):
            chance, ours, best = (
                mean(found[name], column, phase) for name in ("Random", "Squeezed", "Oracle")
            )
            assert chance + 0.05 < ours < best
    assert mean(found["Random"], "recall") == pytest.approx(0.2, abs=0.06)


def test_mass_is_that_of_the_models_own_attention(model, ctx):
    """The first layer's queries do not depend on what is kept, so eager attention is the judge."""
    method = squeezed.Squeezed(sparsity=0.8, rule="topk")
    _, selection = watch(model, ctx, QUESTION, method, 1)[0][0]
    layer = ctx.layers[0]
    kept = torch.ones(2, ctx.tokens, dtype=torch.bool)
    kept[:, :513] = layer.in_place_order(selection.row_mask()[0, :, 0])
    weights = attention_weights(model, torch.cat([ctx.ids, QUESTION]))[0][0, :, 613:, :613]
    weights = weights.unflatten(0, (2, 2))  # [H, G, L, N]
    shares = (weights * kept[:, None, None]).sum(-1) / weights.sum(-1)
    rows = diagnose(model, ctx, QUESTION, method, 1)
    found = [row["mass"] for row in rows if row["layer"] == 0]
    assert found == pytest.approx(shares.mean((1, 2)).tolist(), abs=1e-4)
    assert {row["phase"] for row in rows} == {"input"}  # one token: no pass after the user input's


def test_keys_on_the_host_and_hierarchies_are_diagnosed_too(model, deep):
    for depth in (2, 3):
        method = squeezed.Squeezed(sparsity=0.8, rule="topk")
        rows = diagnose(model, deep[depth].to_host(), QUESTION, method, 2)
        assert rows == diagnose(model, deep[depth], QUESTION, method, 2)


def test_one_user_input_at_a_time(model, ctx):
    with pytest.raises(ValueError, match="2 user inputs; expected one"):
        diagnose(model, ctx, [[5, 6], [7]], squeezed.Full())


# --- Clusters -----------------------------------------------------------------------------------------------


def test_rows_come_back_from_the_table(tmp_path, model, ctx):
    rows = diagnose(model, ctx, QUESTION, squeezed.Squeezed(sparsity=0.8), 2)
    path = write_csv(rows, tmp_path / "new" / "table.csv")
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [list(row) for row in found] == [COLUMNS] * len(rows)
    assert [float(row["mass"]) for row in found] == [row["mass"] for row in rows]
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


def test_a_user_input_that_is_read_token_by_token_is_one_phase():
    """A model that forgets its recurrent state takes a user input in as many passes as it has tokens."""
    case = case_of("jamba")
    rows = diagnose(case.model, case.ctx, case.questions[0], squeezed.Oracle(sparsity=0.5), 4)
    steps = {(row["phase"], row["steps"]) for row in rows}
    assert steps == {("input", len(case.questions[0])), ("token", 3)}
