"""Accuracy by needle place, from hand-written records: the table and the heat map."""

import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bench.cli import report
from bench.reporting.figures import needle_places as needle_figures
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.tables import needle_places
from tests.bench.reporting.test_leaderboard import FULL, TOPK, write_run


def with_depths(folder: Path, found: dict[str, tuple[list[float], list[str], str]]) -> None:
    """Puts depths, answers and prediction into the records of a run."""
    path = folder / "records.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        depths, answers, prediction = found[record["id"]]
        record |= {"answers": answers, "prediction": prediction}
        record["meta"]["depths"] = depths
        record["metrics"] = {"score": record["score"], "strict": 0.5 * record["score"]}
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    scores = {"q0": ("a", 0.5), "q1": ("b", 1.0)}
    for method, second in ((FULL, " 11 22"), (TOPK, " 11")):
        for length in (1024, 4096):
            run = write_run(folder, method, scores, length=length)
            found = {
                "q0": ([0.05, 0.99], ["11", "22"], second),
                "q1": ([0.0, 0.31], ["33"], "33"),  # one answer, two documents
            }
            with_depths(run, found)
    return folder


def test_each_answer_counts_where_it_stood(runs: Path) -> None:
    loaded = load_runs(runs)
    ((name, table),) = needle_places.by_group(loaded, leaderboard(loaded))
    assert name == "mini-ruler-suite-2x2"
    here = table[(table["method"] == "squeezed") & (table["context_length"] == 1024)]
    assert list(here["bin"]) == [0, 3, 9]
    assert list(here["accuracy"]) == [1.0, 1.0, 0.0]
    assert list(here["n"]) == [2, 1, 1]
    assert list(here["place_from"]) == pytest.approx([0, 0.3, 0.9])
    full = table[(table["method"] == "full") & (table["context_length"] == 1024)]
    assert list(full["accuracy"]) == [1.0, 1.0, 1.0]


def test_the_end_of_the_context_is_in_the_last_bin() -> None:
    record: dict[str, Any] = {"answers": ["x"], "prediction": "X", "meta": {"depths": [1.0]}}
    assert needle_places.answers_at(record) == [(1.0, 1.0)]
    assert needle_places.answers_at({**record, "meta": {}}) == []


def test_the_heat_map_shows_lengths_across_and_places_down(runs: Path) -> None:
    loaded = load_runs(runs)
    ((name, table),) = needle_places.by_group(loaded, leaderboard(loaded))
    figure = needle_figures.draw(name, table)
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["full", "squeezed topk, sparsity 0.9"]
    values = np.ma.filled(panels[1].images[0].get_array(), np.nan)
    assert values.shape == (10, 2)
    assert values[9].tolist() == [0.0, 0.0]
    assert values[0].tolist() == [1.0, 1.0]
    assert np.isnan(values[5]).all()
    assert [tick.get_text() for tick in panels[0].get_xticklabels()] == ["1024", "4096"]
    assert panels[0].yaxis_inverted()


def test_many_methods_that_share_no_set_of_subtasks_have_no_figure() -> None:
    """Of a sweep that has only begun, for instance."""
    rows = [
        {"method": f"m{number % 7}", "subtask": f"s{number}", "context_length": 1024, "bin": 0}
        for number in range(14)
    ]
    more = {"rule": "", "depth": None, "variant": "", "asked": "", "accuracy": 0.5, "n": 2}
    table = pd.DataFrame([row | more | {"accuracy": i / 14} for i, row in enumerate(rows)])
    assert needle_figures.draw("x", table) is None


def test_the_report_writes_both(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert report.main([f"results={runs.parent}", f"out={out}"]) == 0
    assert (out / "tables" / "mini-ruler-suite-2x2-needle-places.csv").read_text().count(
        "\n"
    ) == 1 + 4 * 3
    image = matplotlib.image.imread(out / "figures" / "mini-ruler-suite-2x2-needle-places.png")
    assert image.std() > 0.05
    header, first, *_ = (out / "tables" / "mini-ruler-suite-2x2.csv").read_text().splitlines()
    assert header.endswith("score_strict")
    assert first.endswith("0.375")


def test_records_without_depths_have_no_heat_map(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    write_run(folder, FULL, {"q0": ("a", 1.0)})
    loaded = load_runs(folder)
    assert needle_places.by_group(loaded, leaderboard(loaded)) == []


def test_two_versions_of_the_data_are_never_in_one_table(tmp_path: Path) -> None:
    for data in ("aaaa", "bbbb"):
        write_run(tmp_path, FULL, {"q0": ("a", 1.0)}, data=data)
    write_run(tmp_path, FULL, {"q0": ("a", 1.0)}, label="vt", subtask="vt", data=None)
    board = leaderboard(load_runs(tmp_path))
    assert board["setting"].nunique() == 3
    write_run(tmp_path / "alone", FULL, {"q0": ("a", 1.0)}, data="aaaa")
    write_run(tmp_path / "alone", FULL, {"q0": ("a", 1.0)}, label="vt", data=None)
    assert leaderboard(load_runs(tmp_path / "alone"))["setting"].nunique() == 1


def test_the_title_fits_a_figure_of_one_method(runs: Path) -> None:
    loaded = load_runs(runs)
    ((name, table),) = needle_places.by_group(loaded, leaderboard(loaded))
    figure = needle_figures.draw(name, table[table["method"] == "full"])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    title = figure.texts[0].get_window_extent(canvas.get_renderer())
    assert title.x0 >= 0
    assert title.x1 <= figure.bbox.width
