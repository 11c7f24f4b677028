"""Tables of the made sets from hand-written records: controls beside the floor, scores by density."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.reporting.figures import density as figures
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.tables import probes
from tests.bench.reporting.test_leaderboard import FULL, TOPK, write_run

SMALL = {**TOPK, "sparsity": 0.95}
DENSITIES = (0.5, 0.3, 0.0001, 0.0)


def made(folder: Path, method: dict[str, Any], scores: tuple[float, ...], **more: Any) -> None:
    known = {"q0": "a", "q1": "a", "q2": "b", "q3": "b"}
    both = {name: (known[name], score) for name, score in zip(known, scores, strict=True)}
    task = {"name": "probes", "subtask": "records", "label": "records", "each": 2, "empty": False}
    run = write_run(folder, method, both, **{**task, **more})
    path = run / "records.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record, density in zip(records, DENSITIES, strict=True):
        kind = "max" if density > 0.1 else "count"
        record["meta"] |= {"kind": kind, "density": density, "floor": 0.1}
        record["metrics"] = {"score": record["score"]}
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def groups(tmp_path: Path) -> list[tuple[str, Any]]:
    folder = tmp_path / "runs"
    made(folder, FULL, (1, 1, 0.2, 1), budget=1.0)
    made(folder, FULL, (0, 0, 0.2, 0), label="records-empty", empty=True)
    made(folder, TOPK, (1, 0, 1, 1), budget=0.4)
    made(folder, SMALL, (0, 0, 1, 1), budget=0.1)
    loaded = load_runs(folder)
    return probes.by_group(loaded, leaderboard(loaded))


def test_controls_stand_side_by_side(groups: list[tuple[str, Any]]) -> None:
    ((name, table),) = groups
    assert name == "mini-probes-2x2-seed42"
    found = probes.controls(table).set_index("kind")
    assert found.loc["max", "floor"] == pytest.approx(0.1)
    assert found.loc["max", "empty"] == 0
    assert found.loc["count", "empty"] == pytest.approx(0.1)
    assert found.loc["max", "full"] == 1
    assert found.loc["max", "squeezed topk, sparsity 0.9"] == 0.5
    assert found.loc["max", "n"] == 2


@pytest.mark.parametrize("more", [{"chat": True}, {"max_new_tokens": 3}, {"prompts": "other"}])
def test_other_settings_have_tables_of_their_own(tmp_path: Path, more: dict[str, Any]) -> None:
    """Scores of two wordings, or of two data types, stood as their mean."""
    for scores, settings in (((1, 1, 1, 1), {}), ((0, 0, 0, 0), more)):
        made(tmp_path, FULL, scores, budget=1.0, **settings)
        made(tmp_path, TOPK, scores, budget=0.4, **settings)
    made(tmp_path, FULL, (1, 1, 0, 0), subtask="records_max", label="records_max",
         questions_per_context=1)  # fmt: skip
    made(tmp_path, FULL, (0, 0, 0, 0), label="records-closed_book")
    loaded = load_runs(tmp_path)
    groups = dict(probes.by_group(loaded, leaderboard(loaded)))
    assert "mini-probes-2x2-seed42-closed_book" in groups
    del groups["mini-probes-2x2-seed42-closed_book"]
    assert len(groups) == 2
    assert all(name.startswith("mini-probes-2x2-seed42-") for name in groups)  # and a hash
    tables = sorted((probes.controls(each) for each in groups.values()), key=len)
    assert [len(each) for each in tables] == [2, 4]  # the last has both subtasks
    assert set(tables[0]["full"]) == {0}
    assert set(tables[1].loc[tables[1]["subtask"] == "records", "full"]) == {1}


def test_density_counts_what_full_attention_answers(groups: list[tuple[str, Any]]) -> None:
    ((_, table),) = groups
    found = probes.by_density(table)
    # Of the low densities, one was not answered by full attention, one needs nothing.
    assert set(found["density_to"]) == {0.5}
    assert set(found["density_from"]) == {0.25}
    here = found[found["asked"] == "sparsity 0.9"].iloc[0]
    assert here["score"] == 0.5
    assert here["n"] == 2
    assert here["kv_budget"] == pytest.approx(0.4)


def test_effective_length_is_the_longest_up_to_which_the_score_holds() -> None:
    curves = {
        "full": {1024: 0.8, 2048: 0.7, 4096: 0.9},  # 0.68 is kept
        "dips": {1024: 0.7, 2048: 0.6, 4096: 0.9},
        "weak": {1024: 0.5, 2048: 0.8, 4096: 0.8},
        "early": {1024: 0.68, 2048: 0.68},
    }
    table = pd.DataFrame(
        [
            {"subtask": "kv", "kind": "kv", "label": label, "context_length": n, "score": score}
            for label, curve in curves.items()
            for n, score in curve.items()
        ]
    ).assign(empty=False)
    (row,) = probes.effective_lengths(table).to_dict("records")
    assert row["base"] == pytest.approx(0.8)
    assert {name: row[name] for name in curves} == {
        "full": 4096,
        "dips": 1024,
        "weak": 0,
        "early": 2048,
    }
    nothing = table.assign(score=0.0)
    assert probes.effective_lengths(nothing)[list(curves)].to_numpy().sum() == 0
    assert probes.effective_lengths(table[table["context_length"] == 1024]).empty


@pytest.mark.parametrize(
    ("density", "number"), [(1.0, 0), (0.51, 0), (0.5, 1), (0.26, 1), (0.25, 2), (1e-9, 10)]
)
def test_density_classes(density: float, number: int) -> None:
    assert probes.density_class(density) == number


def test_files(groups: list[tuple[str, Any]], tmp_path: Path) -> None:
    paths = probes.write(groups, tmp_path)
    assert sorted(path.suffix for path in paths) == [".csv", ".csv", ".md"]
    assert figures.write(groups, tmp_path) == []  # one class of densities makes no figure
    ((name, table),) = groups
    several = [(name, table.assign(full=1.0))]
    (path,) = figures.write(several, tmp_path)
    assert path.name == f"{name}-density-1024.png"
