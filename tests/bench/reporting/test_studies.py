"""The studies' tables from records worked out by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from bench.cli import report
from bench.reporting.figures.style import Drawn
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.statistics.pooled import Pool, pool
from bench.reporting.studies import STUDIES, Study
from bench.reporting.tables import overview
from tests.bench.reporting.conftest import FULL, squeezed

Write = Callable[..., Path]
DEEP = {"levels": [0.01, 0.05]}


def pooled(folder: Path) -> Pool:
    runs = load_runs(folder / "runs")
    ((_, part),) = overview.groups(leaderboard(runs))
    return pool(part, {folder: records for _, records, folder in runs})


def tables(study: str, folder: Path) -> dict[str, pd.DataFrame]:
    return STUDIES[study].tables(STUDIES[study].cells(pooled(folder)))


def drawn(study: Study, folder: Path) -> Drawn:
    assert study.draw is not None
    return study.draw(study.cells(pooled(folder)), "title")


def test_a_cell_holds_the_questions_of_all_subtasks(write_run: Write, tmp_path: Path) -> None:
    for subtask, scores in (("one", (1, 1, 0, 0)), ("two", (0, 0, 0, 1))):
        write_run(FULL, subtask=subtask)
        write_run(squeezed(sparsity=0.9), scores, subtask=subtask, budget=0.2)
    full, ours = pooled(tmp_path).table.to_dict("records")
    assert (full["score"], full["n"], full["contexts"], full["tasks"]) == (0.75, 8, 4, 2)
    assert (ours["score"], ours["delta"], ours["size"]) == (0.375, -0.375, 0.9)
    assert ours["label"] == "squeezed topk"


def test_measured_sparsity_leaves_window_and_lookup_out(write_run: Write, tmp_path: Path) -> None:
    # 1000 tokens, window 100: 190 rows are read, 90 of them of the 900 that may be left out.
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), budget=0.19 + 0.025, lookup=0.025)
    full, ours = leaderboard(load_runs(tmp_path / "runs")).to_dict("records")
    assert ours["measured_sparsity"] == pytest.approx(0.9)
    assert ours["lookup_budget"] == pytest.approx(0.025)
    assert pd.isna(full["measured_sparsity"])


def test_records_from_before_a_field_still_load(write_run: Write, tmp_path: Path) -> None:
    write_run(squeezed(sparsity=0.9), budget=0.2, lookup=None)
    row = leaderboard(load_runs(tmp_path / "runs")).iloc[0]
    assert pd.isna(row["lookup_budget"])
    assert pd.isna(row["measured_sparsity"])
    assert len(pooled(tmp_path).table) == 1


def test_identical_and_empty_answers_are_counted(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), budget=0.2, predictions=("a", "b", "", " "))
    _, ours = pooled(tmp_path).table.to_dict("records")
    assert (ours["identical"], ours["empty"]) == (0.5, 0.5)


def test_budgets(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    write_run(squeezed(kv_budget=0.1), (1, 1, 0, 0), budget=0.1)
    write_run(squeezed(kv_budget=0.2), budget=0.2)
    write_run({"name": "quest", "rule": "topk", "kv_budget": 0.2}, (1, 0, 0, 0), budget=0.199)
    found = tables("budgets", tmp_path)
    wide = found["-1024"].set_index("method")
    assert list(wide.columns) == ["0.1", "0.2", "n"]
    assert wide.loc["full", "0.1"] == wide.loc["full", "0.2"]
    assert wide.loc["squeezed topk", "0.1"].startswith("0.500 (0.000 to 1.000); read 0.100")
    assert wide.loc["quest topk", "0.1"] == ""  # could not be met
    assert wide.loc["quest topk", "0.2"].endswith("read 0.199")
    assert set(found[""]["asked"]) == {"", "kv_budget 0.1", "kv_budget 0.2"}


def test_depth_is_compared_with_depth_one_question_by_question(
    write_run: Write, tmp_path: Path
) -> None:
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), (1, 1, 0, 0), budget=0.2, lookup=0.025)
    deep = squeezed(sparsity=0.9, coarse_sparsity=0.7)
    write_run({**deep, "depth": 2}, (1, 0, 0, 1), budget=0.19, lookup=0.0125, index=DEEP)
    spread = {**deep, "coarse_score": "spread"}
    write_run({**spread, "depth": 2}, (1, 1, 0, 0), budget=0.19, lookup=0.0125, index=DEEP)
    table = tables("hierarchy", tmp_path)[""]
    flat, two, wide = table.to_dict("records")
    assert [each["coarse_score"] for each in (flat, two, wide)] == ["-", "mean (paper)", "spread"]
    assert wide["minus depth 1 (95 % CI)"] == "0.000 (0.000 to 0.000)"
    assert (flat["depth"], flat["lookup, depth 1 = 1"], flat["coarse_sparsity"]) == (1, 1.0, "-")
    assert (two["depth"], two["coarse_sparsity"]) == (2, "0.7")
    assert two["lookup, depth 1 = 1"] == pytest.approx(0.5)
    # Context a loses one of two questions, context b wins one.
    assert two["minus depth 1 (95 % CI)"] == "0.000 (-0.500 to 0.500)"


def test_depth_is_drawn_where_rows_have_no_common_length(write_run: Write, tmp_path: Path) -> None:
    """A length that is no number equals none, itself included: the panel was empty."""
    for method, index in ((squeezed(sparsity=0.9), {}), (squeezed(sparsity=0.9, depth=2), DEEP)):
        write_run(method, budget=0.2, lookup=0.02, length=None, index=index)
    write_run(FULL, length=None)
    figure = drawn(STUDIES["hierarchy"], tmp_path).figure
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_title().startswith("squeezed topk\nown lengths, n = 4")
    assert sum(len(line.get_xdata()) for line in axes.lines) == 2


def test_transfer_says_measured_minus_asked(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    for sparsity, rows in ((0.5, 0.550), (0.8, 0.280), (0.9, 0.145)):
        write_run(squeezed(sparsity=sparsity), budget=rows)
    (row,) = tables("transfer", tmp_path)[""].to_dict("records")
    assert row["asked 0.5"] == pytest.approx(0.0, abs=1e-9)
    assert row["asked 0.8"] == pytest.approx(0.0, abs=1e-9)
    assert row["asked 0.9"] == pytest.approx(0.05)
    assert row["largest gap"] == pytest.approx(0.05)
    assert not row["within 0.03"]


def test_scaling_draws_no_panel_of_times_that_nothing_has(write_run: Write, tmp_path: Path) -> None:
    for length in (1000, 2000):  # neither has an index, so nothing took time for one
        write_run(FULL, length=length)
        write_run({"name": "streaming", "sparsity": 0.9}, budget=0.2, length=length)
    figure = drawn(STUDIES["scaling"], tmp_path).figure
    assert figure is not None
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 2
    assert not any("clustering" in title for title in titles)


def test_cost_says_when_the_index_has_paid(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), budget=0.2)
    (row,) = tables("cost", tmp_path)[""].to_dict("records")
    # Built in 20 ms; a token costs 1 ms instead of 2.
    assert (row["index, ms"], row["saved a token, ms"], row["pays after tokens"]) == (20, 1, 20)


def test_times_of_questions_answered_together_are_each_one_s_part(
    write_run: Write, tmp_path: Path
) -> None:
    """They were those of the whole batch, as if one question had taken them."""
    for folder, batch in ((write_run(FULL), 2), (write_run(squeezed(sparsity=0.9)), 4)):
        path = folder / "records.jsonl"
        records = [json.loads(line) | {"batch": batch} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(each) + "\n" for each in records))
    full, ours = leaderboard(load_runs(tmp_path / "runs")).to_dict("records")
    assert (full["prefill_ms"], full["decode_ms_per_token"], full["batch"]) == (2.0, 1.0, "2")
    assert (ours["prefill_ms"], ours["decode_ms_per_token"], ours["batch"]) == (0.75, 0.25, "4")
    assert (full["prepare_ms"], ours["prepare_ms"]) == (50.0, 50.0)  # of the context
    (row,) = tables("cost", tmp_path)[""].to_dict("records")
    assert (row["saved a prefill, ms"], row["saved a token, ms"]) == (1.25, 0.75)
    assert row["pays after tokens"] == np.ceil(20 / 0.75)
    assert (row["index, ms"], row["batch"]) == (20.0, "4")


@pytest.mark.parametrize(
    ("study", "axis", "values", "runs"),
    [
        ("centroids", "centroids, share of the keys", [0.05, 0.1], [{}, {"levels": [0.1]}]),
        ("window", "window, tokens", [50.0, 100.0], [{}, {"window": 50}]),
    ],
)
def test_a_setting_of_the_index_is_an_axis(
    write_run: Write, tmp_path: Path, study: str, axis: str, values: Any, runs: Any
) -> None:
    write_run(FULL)
    for index in runs:
        write_run(squeezed(sparsity=0.9), budget=0.2, index=index)
    table = tables(study, tmp_path)[""]
    assert table[axis].tolist() == values
    assert set(table["method"]) == {"squeezed topk, sparsity 0.9"}


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_full_attention_alone_makes_no_study(write_run: Write, tmp_path: Path, study: str) -> None:
    write_run(FULL)
    assert STUDIES[study].cells(pooled(tmp_path)).table.empty


def test_the_command_writes_one_study(
    write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(FULL)
    for sparsity in (0.5, 0.8, 0.9):
        write_run(squeezed(sparsity=sparsity), budget=0.3)
    paths = [f"results={tmp_path}", f"out={tmp_path / 'out'}"]
    assert report.main([*paths, "study=transfer", "formats=tex"]) == 0
    assert "| squeezed topk" in capsys.readouterr().out
    figure = tmp_path / "out/figures/mini-ruler-suite-2x2-transfer.png"
    assert matplotlib.image.imread(figure).std() > 0.05  # something is drawn
    tex = (tmp_path / "out/tables/mini-ruler-suite-2x2-transfer.tex").read_text()
    assert r"\toprule" in tex
    assert report.main([*paths, "study=window"]) == 2
    assert "do not make the study window" in capsys.readouterr().err
