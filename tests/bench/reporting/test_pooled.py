"""Cells stand side by side only over the same questions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.reporting.statistics.pooled import Pool
from tests.bench.reporting.conftest import FULL, squeezed
from tests.bench.reporting.test_studies import pooled

Write = Callable[..., Path]
TASKS = ("one", "two", "three")
RESIDUAL = squeezed(kv_budget=0.05, residual=True)


def compared(folder: Path) -> tuple[Pool, pd.DataFrame]:
    """The pool of all cells on the same questions, and its table by label."""
    pool = pooled(folder)
    found = pool.compared(pool.table)
    return found, found.table.set_index("label")


def on_all_tasks(write_run: Write, method: dict[str, Any], *scores: tuple[float, ...]) -> None:
    for task, of_task in zip(TASKS, scores, strict=True):
        write_run(method, of_task, subtask=task, budget=1.0 if method == FULL else 0.1)


def test_a_cell_without_a_task_is_blank_and_named(write_run: Write, tmp_path: Path) -> None:
    on_all_tasks(write_run, FULL, (1, 1, 1, 1), (1, 1, 1, 1), (0, 0, 0, 0))
    for budget in (0.1, 0.2, 0.4):
        method = squeezed(kv_budget=budget)
        on_all_tasks(write_run, method, (1, 1, 1, 0), (1, 1, 1, 1), (0, 0, 0, 0))
    for task in TASKS[:2]:  # the tasks on which all score high
        write_run(RESIDUAL, (1, 1, 1, 1), subtask=task, budget=0.05)
    found, table = compared(tmp_path)
    blank = table.loc["squeezed topk, residual=True"]
    assert blank[["score", "delta", "score_ci_low", "kv_budget", "prefill_ms"]].isna().all()
    assert (blank["n"], blank["tasks"]) == (8, 2)
    assert table.loc["squeezed topk", "score"].tolist() == pytest.approx([7 / 12] * 3)
    (note,) = found.notes
    assert note == (
        "1024 tokens: left blank, not run on three: squeezed topk, residual=True kv_budget 0.05"
    )


def test_an_unfinished_cell_is_blank(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), (1, 0, 0, 0), budget=0.2)
    short = write_run(squeezed(sparsity=0.8), (1, 1, 1, 1), budget=0.3)
    records = short / "records.jsonl"
    records.write_text("".join(records.read_text().splitlines(keepends=True)[:3]))
    found, _ = compared(tmp_path)
    scores = found.table.set_index("asked")["score"]
    assert scores["sparsity 0.9"] == 0.25
    assert pd.isna(scores["sparsity 0.8"])
    assert "3 of 4 questions answered" in found.notes[0]


def test_questions_kept_for_calibration_are_left_out_for_all(
    write_run: Write, tmp_path: Path
) -> None:
    write_run(FULL, (1, 1, 1, 1))
    write_run(squeezed(sparsity=0.9), (1, 0, 1, 0), budget=0.2)
    calibrated = squeezed(rule="threshold", sparsity=0.9, calibration_inputs=1)
    folder = write_run(calibrated, (1, 0, 1, 0), budget=0.2)
    records = folder / "records.jsonl"  # the first question of each context is not scored
    records.write_text("".join(records.read_text().splitlines(keepends=True)[1::2]))
    found, table = compared(tmp_path)
    assert table["n"].tolist() == [2, 2, 2]
    assert table.loc["squeezed topk", ["score", "delta"]].tolist() == [0.0, -1.0]
    assert found.notes == ("1024 tokens: over the 2 of 4 questions that all have answered",)


def test_tasks_of_few_cells_are_left_out(write_run: Write, tmp_path: Path) -> None:
    """One method on three tasks beside a sweep on one of them: the sweep is compared."""
    on_all_tasks(write_run, FULL, (1, 1, 1, 1), (0, 0, 0, 0), (0, 0, 0, 0))
    on_all_tasks(write_run, squeezed(sparsity=0.9), (1, 0, 0, 0), (0,) * 4, (0,) * 4)
    for window in (25, 50, 200):
        write_run(squeezed(sparsity=0.9), subtask="one", budget=0.1, index={"window": window})
    found, table = compared(tmp_path)
    assert table["score"].notna().all()
    assert table.loc["full", "score"] == 1.0
    assert table.loc["squeezed topk", "score"] == 0.25
    assert "without three, two" in found.notes[0]


def test_without_full_on_the_same_questions_there_is_no_difference(
    write_run: Write, tmp_path: Path
) -> None:
    write_run(FULL, subtask="one")
    for task in TASKS[:2]:
        write_run(squeezed(sparsity=0.9), (1, 0, 0, 0), subtask=task, budget=0.1)
    _, table = compared(tmp_path)
    assert pd.isna(table.loc["full", "score"])
    assert table.loc["squeezed topk", "score"] == 0.25
    assert pd.isna(table.loc["squeezed topk", "delta"])


def test_lengths_are_compared_each_for_itself(write_run: Write, tmp_path: Path) -> None:
    for length, tasks in ((1024, TASKS), (None, TASKS[:1])):
        for task in tasks:
            write_run(FULL, subtask=task, length=length)
            write_run(squeezed(sparsity=0.9), subtask=task, length=length, budget=0.1)
    found, _ = compared(tmp_path)
    assert found.notes == ()
    assert found.table["length"].tolist() == ["1024 tokens"] * 2 + ["own lengths"] * 2
    assert found.table["n"].tolist() == [12, 12, 4, 4]


def test_cells_are_set_beside_the_oracle_of_their_own_size_and_length(
    write_run: Write, tmp_path: Path
) -> None:
    oracle = {"name": "oracle", "rule": "topk"}
    write_run(FULL)
    write_run({**oracle, "kv_budget": 0.2}, (1, 1, 1, 0), budget=0.2)
    write_run({**oracle, "kv_budget": 0.1}, (1, 0, 1, 0), budget=0.1)
    write_run(squeezed(kv_budget=0.2), (1, 0, 0, 0), budget=0.2)
    write_run(squeezed(kv_budget=0.1), (0, 0, 1, 1), budget=0.1)
    write_run(squeezed(kv_budget=0.4), (1, 1, 1, 1), budget=0.4)
    found, _ = compared(tmp_path)
    beside = found.table[["label", "asked"]].join(found.beside("oracle topk"))
    deltas = beside.set_index(["label", "asked"])["delta"].dropna()
    assert deltas.to_dict() == {
        ("squeezed topk", "kv_budget 0.2"): -0.5,
        ("squeezed topk", "kv_budget 0.1"): 0.0,
    }
    assert found.beside("nobody").isna().all(axis=None)


def test_an_oracle_that_is_blank_is_nothing_to_compare_with(
    write_run: Write, tmp_path: Path
) -> None:
    on_all_tasks(write_run, FULL, (1, 1, 1, 1), (1, 1, 1, 1), (0, 0, 0, 0))
    for budget in (0.1, 0.2):
        on_all_tasks(write_run, squeezed(kv_budget=budget), (1, 1, 1, 0), (1, 1, 1, 1), (0,) * 4)
    for task in TASKS[:2]:
        write_run({"name": "oracle", "rule": "topk", "kv_budget": 0.1}, subtask=task, budget=0.1)
    found, table = compared(tmp_path)
    assert pd.isna(table.loc["oracle topk", "score"])
    assert found.beside("oracle topk").isna().all(axis=None)
