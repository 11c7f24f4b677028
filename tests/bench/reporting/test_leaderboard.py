"""Leaderboard, tables and plot from hand-written records."""

import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from bench.cli import report
from bench.config.spec import digest
from bench.reporting.figures import accuracy, style
from bench.reporting.figures.files import DRAWN
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.tables import overview

# DESIGN.md section 5, in this order.
COLUMNS = (
    "model,task,subtask,context_length,method,depth,sparsity,kv_budget,score,score_ci_low,"
    "score_ci_high,full_score,delta,n,prefill_ms,decode_ms_per_token,index_bytes,commit"
)
FULL = {"name": "full"}
TOPK = {"name": "squeezed", "rule": "topk", "sparsity": 0.9, "depth": 1}
SCORES = {"q0": ("a", 1.0), "q1": ("a", 1.0), "q2": ("b", 1.0), "q3": ("b", 0.0)}


def write_run(
    runs: Path,
    method: dict[str, Any],
    scores: dict[str, tuple[str, float]],
    budget: float = 0.2,
    **task: Any,
) -> Path:
    """A run folder; ``scores`` gives context and score of each row id."""
    settings = {
        "name": "ruler",
        "subtask": "niah_single_1",
        "label": "niah_single_1",
        "length": 1024,
        "samples": 2,
        "questions_per_context": 2,
        "seed": 42,
        "prompts": "suite",
        **task,
    }
    model = {"name": "mini", "fingerprint": "f", "dtype": "float32", "device": "cpu"}
    identity = {"model": model, "task": settings, "method": method}
    folder = runs / "mini" / digest(identity)[:8]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"identity": identity}))
    with (folder / "records.jsonl").open("w") as file:
        for i, (name, (context, score)) in enumerate(scores.items()):
            record = {
                "id": name,
                "context": context,
                "score": score,
                "kv_budget": budget,
                "prefill_ms": 1.0 + i,
                "decode_ms_per_token": None if i == 0 else 2.0,
                "index_bytes": 1000,
                "prepare_ms": 5.0,
                "meta": {"prompts": settings["prompts"], "haystack": "noise"},
                "commit": "abc",
            }
            file.write(json.dumps(record) + "\n")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    write_run(folder, FULL, SCORES, budget=1.0)
    write_run(folder, TOPK, {"q0": ("a", 0.0), "q1": ("a", 1.0), "q2": ("b", 0.0)})
    return folder


def test_columns_and_values(runs: Path) -> None:
    board = leaderboard(load_runs(runs))
    assert ",".join(board.columns).startswith(COLUMNS + ",rule,")
    full, topk = board.to_dict("records")
    assert (full["method"], full["score"], full["delta"], full["n"]) == ("full", 0.75, 0.0, 4)
    assert (full["index_bytes"], topk["index_bytes"]) == (0, 1000)
    assert (topk["score"], topk["sparsity"]) == (1 / 3, 0.9)
    assert topk["kv_budget"] == pytest.approx(0.2)
    assert (topk["prefill_ms"], topk["decode_ms_per_token"], topk["commit"]) == (2.0, 2.0, "abc")
    assert (full["complete"], topk["complete"]) == (True, False)


def test_delta_is_paired_and_drawn_by_context(runs: Path) -> None:
    topk = leaderboard(load_runs(runs)).iloc[1]
    # Full's score on q0, q1 and q2 only; differences -1, 0 in context a and -1 in context b.
    assert topk["full_score"] == 1.0
    assert topk["delta"] == pytest.approx(-2 / 3)
    assert topk["paired_n"] == 3
    # Draws of two contexts: aa -1/2, ab -2/3, bb -1.
    assert (topk["delta_ci_low"], topk["delta_ci_high"]) == (-1.0, -0.5)


def test_without_full_there_is_no_delta(tmp_path: Path) -> None:
    write_run(tmp_path, TOPK, SCORES)
    row = leaderboard(load_runs(tmp_path)).iloc[0]
    assert np.isnan(row["full_score"])
    assert np.isnan(row["delta"])


def test_full_of_another_seed_is_no_partner(tmp_path: Path) -> None:
    write_run(tmp_path, FULL, SCORES, seed=1)
    write_run(tmp_path, TOPK, SCORES)
    board = leaderboard(load_runs(tmp_path)).set_index("method")
    assert np.isnan(board.loc["squeezed", "delta"])


def test_no_table_mixes_two_prompt_sets(runs: Path) -> None:
    write_run(runs, TOPK, SCORES, prompts="official")
    parts = dict(overview.groups(leaderboard(load_runs(runs))))
    assert list(parts) == ["mini-ruler-official-2x2", "mini-ruler-suite-2x2"]
    assert set(parts["mini-ruler-suite-2x2"]["prompts"]) == {"suite"}
    assert set(parts["mini-ruler-official-2x2"]["prompts"]) == {"official"}


def test_no_table_mixes_two_sample_sizes(runs: Path) -> None:
    write_run(runs, TOPK, SCORES, samples=20)
    names = [name for name, _ in overview.groups(leaderboard(load_runs(runs)))]
    assert names == ["mini-ruler-suite-2x2", "mini-ruler-suite-20x2"]


def test_no_table_mixes_two_seeds(runs: Path) -> None:
    write_run(runs, TOPK, SCORES, seed=1)
    names = [name for name, _ in overview.groups(leaderboard(load_runs(runs)))]
    assert len(set(names)) == 2
    assert all(name.startswith("mini-ruler-suite-2x2-") for name in names)  # and a hash


def test_overview_has_a_column_per_cell_and_a_mean_over_all(runs: Path) -> None:
    write_run(runs, FULL, SCORES, budget=1.0, length=2048)
    table = overview.overview(leaderboard(load_runs(runs))).set_index("method")
    assert table.loc["full", "niah_single_1 1024"] == 0.75
    assert table.loc["full", "mean"] == 0.75
    assert np.isnan(table.loc["squeezed", "niah_single_1 2048"])
    assert np.isnan(table.loc["squeezed", "mean"])  # not run on all cells: no mean to compare


def test_by_task_has_a_row_per_cell_and_a_mean_of_each_length(runs: Path) -> None:
    write_run(runs, FULL, {"q0": ("a", 1.0), "q1": ("a", 0.0)}, budget=1.0, length=2048)
    table = overview.by_task(leaderboard(load_runs(runs)))
    rows = table.set_index(["context_length", "subtask"])
    assert list(rows.index) == [
        (length, name) for length in (1024, 2048) for name in ("niah_single_1", "mean")
    ]
    squeezed = next(name for name in table if name.startswith("squeezed topk"))
    assert rows.loc[(1024, "mean"), "full"] == 0.75
    assert rows.loc[(2048, "niah_single_1"), "full"] == 0.5
    assert np.isnan(rows.loc[(2048, "mean"), squeezed])  # not run there


def files_below(out: Path) -> dict[str, bytes]:
    """All that a report writes for people, by its path."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {
        str(path.relative_to(out)): path.read_bytes() for path in files if path.parent.name != DRAWN
    }


def test_what_is_kept_of_an_earlier_report_is_what_a_new_one_writes(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    real = style.panels
    monkeypatch.setattr(style, "panels", lambda *a, **k: drawn.append("") or real(*a, **k))

    def made(out: str) -> dict[str, bytes]:
        drawn.clear()
        assert report.main([f"results={runs.parent}", f"out={tmp_path / out}"]) == 0
        return files_below(tmp_path / out)

    write_run(runs, {**TOPK, "sparsity": 0.8}, SCORES, budget=0.3)
    first = made("kept")
    assert drawn
    assert made("kept") == first
    assert not drawn
    write_run(runs, {**TOPK, "sparsity": 0.7}, {**SCORES, "q0": ("a", 0.0)}, budget=0.4)
    again = made("kept")
    assert drawn
    assert again == made("anew")
    (changed,) = (tmp_path / "kept").rglob("*-budgets.png")
    changed.write_bytes(b"not what was drawn")
    assert made("kept") == again


def test_report_writes_everything_and_twice_the_same(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(runs, {**TOPK, "sparsity": 0.8}, SCORES, budget=0.3)
    write_run(runs, {**TOPK, "sparsity": 0.7}, {**SCORES, "q0": ("a", 0.0)}, budget=0.4)
    contents = []
    for out in (tmp_path / "one", tmp_path / "two"):
        assert report.main([f"results={runs.parent}", f"out={out}", "formats=tex,pdf"]) == 0
        contents.append(files_below(out))
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        "leaderboard.csv",
        "report.html",
        *(
            f"figures/mini-ruler-suite-2x2{part}.{kind}"
            for part in ("", "-budgets")
            for kind in ("png", "pdf")
        ),
        *(
            f"tables/mini-ruler-suite-2x2{part}.{kind}"
            for part in ("", "-overview", "-tasks", "-budgets", "-cost")
            for kind in ("csv", "md", "tex")
        ),
    }
    assert len(pd.read_csv(tmp_path / "one/leaderboard.csv")) == 4
    image = matplotlib.image.imread(tmp_path / "one/figures/mini-ruler-suite-2x2.png")
    assert image.std() > 0.05  # something is drawn
    printed = capsys.readouterr().out
    assert "| squeezed | topk" in printed
    assert printed.count("not finished") == 2  # one run, in two reports
    assert str(tmp_path / "one" / "leaderboard.csv") in printed


def test_full_is_a_line_across_and_methods_keep_their_styles(runs: Path) -> None:
    write_run(runs, {**TOPK, "sparsity": 0.8}, SCORES, budget=0.3)
    figure = accuracy.draw(leaderboard(load_runs(runs)))
    assert figure is not None
    axes = figure.axes[0]
    handles, labels = axes.get_legend_handles_labels()
    assert sorted(labels) == ["full", "squeezed topk"]
    line = handles[labels.index("full")]
    assert line.get_linestyle() == "--"
    assert list(line.get_ydata()) == [0.75, 0.75]


def test_report_of_full_alone_with_a_length_that_one_task_lacks(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for label, length in (("niah_single_1", 1024), ("niah_single_1", 2048), ("vt", 1024)):
        write_run(runs, FULL, SCORES, budget=1.0, subtask=label, label=label, length=length)
    assert report.main([f"results={runs.parent}", f"out={tmp_path / 'out'}"]) == 0
    assert not list((tmp_path / "out").rglob("*.png"))  # there is nothing to compare


def many(folder: Path, subtasks: int) -> pd.DataFrame:
    """The leaderboard of two sizes, and full attention, on so many subtasks."""
    for task in (f"task{n}" for n in range(subtasks)):
        for method in (FULL, TOPK, {**TOPK, "sparsity": 0.8}):
            scores = SCORES if method is TOPK else {**SCORES, "q3": ("b", 1.0)}
            budget = 2 - method.get("sparsity", 1.0)
            write_run(folder / "runs", method, scores, budget=budget, subtask=task, label=task)
    return leaderboard(load_runs(folder / "runs"))


def test_panels_that_tell_nothing_are_left_out_and_named(tmp_path: Path) -> None:
    board = many(tmp_path, 2)
    for method in (FULL, TOPK, {**TOPK, "sparsity": 0.8}):  # all alike
        write_run(tmp_path / "runs", method, {"q0": ("a", 1.0)}, subtask="flat", label="flat")
    write_run(tmp_path / "runs", FULL, SCORES, subtask="alone", label="alone")
    plan = accuracy.plan(leaderboard(load_runs(tmp_path / "runs")))
    assert len(board) == 6
    assert [subtask for subtask, *_ in plan.panels] == ["task0", "task1"]
    alone, flat = plan.notes
    assert alone == ("Not drawn, as fewer than two points beside full attention: alone.")
    assert flat == "Not drawn, as every method scores 1.000: flat."


def test_very_many_subtasks_stand_in_one_table_of_colours(tmp_path: Path) -> None:
    figure = accuracy.draw(many(tmp_path, 14))
    assert figure is not None
    axes, bar = figure.axes
    rows = {tick.get_text() for tick in axes.get_yticklabels()}
    assert rows == {f"task{n}" for n in range(14)}
    columns = [tick.get_text().replace("\n", " ") for tick in axes.get_xticklabels()]
    assert columns == ["full", "squeezed topk sparsity 0.8", "squeezed topk sparsity 0.9"]
    values = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert values[0].tolist() == [0.0, 0.0, -0.25]  # by what full attention has more
    assert {text.get_text() for text in axes.texts} == {"1.00", "0.75"}
    assert "full" in bar.get_ylabel()


def test_many_subtasks_stand_beside_each_other(tmp_path: Path) -> None:
    figure = accuracy.draw(many(tmp_path, 9))
    assert figure is not None
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert sorted(axes.get_title().split("\n")[0] for axes in shown) == [
        f"task{n}" for n in range(9)
    ]
    assert len({axes.get_subplotspec().rowspan.start for axes in shown}) == 3
    # The last one of each column.
    lowest = {axes.get_subplotspec().colspan.start: axes for axes in shown}
    assert all(axes.get_xlabel() for axes in lowest.values())


def test_panels_left_out_leave_no_holes_and_short_lengths_come_first(tmp_path: Path) -> None:
    for subtask, lengths in {"a": (2048,), "b": (2048,), "c": (1024, 2048)}.items():
        for length in (1024, 2048):
            for method in (FULL, TOPK, {**TOPK, "sparsity": 0.8}):
                told = length in lengths and method is TOPK
                scores = SCORES if told else {"q0": ("a", 1.0)}
                named = {"subtask": subtask, "label": subtask, "length": length}
                write_run(tmp_path / "runs", method, scores, **named)
    figure = accuracy.draw(leaderboard(load_runs(tmp_path / "runs")))
    assert figure is not None
    places = {
        axes.get_title().split(",")[0].replace("\n", " "): axes.get_subplotspec().num1
        for axes in figure.axes
        if axes.get_visible()
    }
    names = ["a 2048 tokens", "b 2048 tokens", "c 1024 tokens", "c 2048 tokens"]
    assert places == {name: number for number, name in enumerate(names)}


@pytest.mark.parametrize("make", [False, True])
def test_no_runs_is_one_line_and_exit_code_2(
    tmp_path: Path, make: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    if make:
        folder.mkdir()
    assert report.main([f"results={tmp_path}"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_damaged_record_is_one_line_and_exit_code_1(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(runs.rglob("records.jsonl"))
    path.write_text("{}\n" + path.read_text())
    assert report.main([f"results={runs.parent}", f"out={tmp_path}"]) == 1
    assert f"{path}, line 1" in capsys.readouterr().err


def test_lengths_stay_whole_beside_a_task_without_any(runs: Path) -> None:
    """One row without a length makes the whole column floats: files and titles said 1024.0."""
    write_run(runs, FULL, SCORES, budget=1.0, name="longbench", length=None)
    parts = [part for _, part in overview.groups(leaderboard(load_runs(runs)))]
    whole, without = sorted(parts, key=lambda part: part["context_length"].isna().any())
    assert whole["context_length"].dtype == int
    assert without["context_length"].isna().all()


@pytest.mark.usefixtures("no_pictures")
def test_the_closed_book_control_has_a_table_of_its_own(runs: Path) -> None:
    """It stood as one more task of the sweep, in its means, curves and budgets."""
    write_run(runs, FULL, SCORES, budget=1.0, label="niah_single_1-closed_book")
    board = leaderboard(load_runs(runs))
    parts = dict(overview.groups(board))
    assert list(parts) == ["mini-ruler-suite-2x2", "mini-ruler-suite-2x2-closed_book"]
    table = overview.overview(parts["mini-ruler-suite-2x2"]).set_index("method")
    assert table.loc["squeezed", "mean"] == 1 / 3
    assert report.main([f"results={runs.parent}", f"out={runs.parent / 'out'}"]) == 0
    page = (runs.parent / "out" / "report.html").read_text()
    assert "asked without the contexts" in page
