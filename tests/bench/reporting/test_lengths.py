"""Every study on rows without a common length, alone and beside rows that have one."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.cli import report
from bench.reporting.statistics.pooled import Pool
from bench.reporting.studies import STUDIES, Study
from bench.reporting.studies import write as studies
from tests.bench.reporting.conftest import FULL, squeezed
from tests.bench.reporting.test_studies import pooled

Write = Callable[..., Path]
OWN = "own lengths"
NEEDS_LENGTHS = {"scaling"}  # along the lengths there is no place for rows that have their own


@pytest.fixture
def every_study(write_run: Write) -> Callable[..., None]:
    """Writes the runs that make all studies, at one length or without any, under one task."""

    def write(length: int | None, **task: object) -> None:
        write_run(FULL, length=length, **task)
        for i, rule in enumerate(("topk", "threshold")):
            for sparsity in (0.5, 0.8, 0.9):
                method = squeezed(rule=rule, sparsity=sparsity)
                scores = (1, i, 0, float(sparsity < 0.8))
                budget = 1.1 - sparsity
                write_run(method, scores, budget=budget, lookup=0.02, length=length, **task)
        for budget in (0.2, 0.4):
            for method in (squeezed(kv_budget=budget), {"name": "streaming", "kv_budget": budget}):
                write_run(method, (1, 0, 0, 0), budget=budget, length=length, **task)
        more = {"length": length, "budget": 0.2, "lookup": 0.01, **task}
        deep = squeezed(sparsity=0.9, depth=2, coarse_sparsity=0.5)
        write_run(deep, (0, 1, 0, 0), index={"levels": [0.01, 0.05]}, **more)
        write_run(squeezed(sparsity=0.9), (0, 0, 0, 0), index={"levels": [0.1]}, **more)
        write_run(squeezed(sparsity=0.9), (0, 0, 0, 0), index={"window": 50}, **more)

    return write


def lengths_of(table: pd.DataFrame) -> set[object]:
    return set(table["context_length"].astype(object).where(table["context_length"].notna(), OWN))


@pytest.mark.parametrize("lengths", [(None,), (1024, 2048, None)])
def test_no_length_is_left_out(
    every_study: Callable[..., None], tmp_path: Path, lengths: tuple[int | None, ...]
) -> None:
    for length in lengths:
        every_study(length)
    cells = pooled(tmp_path)
    for name in sorted(set(STUDIES) - {"n"}):
        check(STUDIES[name], cells, lengths)


def check(study: Study, cells: Pool, lengths: tuple[int | None, ...]) -> None:
    """Cells, tables and panels of a study are of all lengths."""
    numbers = {length for length in lengths if length is not None}
    expected: set[object] = {OWN if length is None else length for length in lengths}
    if study.name in NEEDS_LENGTHS:
        expected = set(numbers) if len(numbers) > 1 else set()
    found = study.cells(cells)
    assert lengths_of(found.table) == expected, study.name
    if not expected:
        return
    for table in study.tables(found).values():
        if "context_length" in table:
            assert lengths_of(table) == expected, study.name
            assert "1024.0" not in table.to_csv()
    if study.draw is not None:
        figure = study.draw(found, "title").figure
        assert figure is not None
        if study.name not in NEEDS_LENGTHS:
            titles = " ".join(axes.get_title() for axes in figure.axes)
            assert OWN in titles, study.name
            assert all(f"{length} tokens" in titles for length in numbers)


def test_the_number_of_contexts_is_studied_without_lengths(
    write_run: Write, tmp_path: Path
) -> None:
    for subtask in ("one", "two"):
        write_run(FULL, subtask=subtask, length=None)
        write_run(squeezed(sparsity=0.9), (0, 0, 1, 1), subtask=subtask, length=None)
    study = STUDIES["n"]
    (table,) = study.tables(study.cells(pooled(tmp_path))).values()
    assert table["contexts"].tolist() == [2, 4]
    assert lengths_of(table) == {OWN}


@pytest.mark.parametrize("lengths", [(1024, None)])
def test_the_report_writes_the_page(
    every_study: Callable[..., None], tmp_path: Path, lengths: tuple[int | None, ...]
) -> None:
    """A sweep over rows without a length stopped the report before the page, for all runs of the folder."""
    for length in lengths:
        longbench = {"name": "longbench", "split": "test", "behaviour": "official", "samples": None}
        more = {"truncate": "middle", "max_length": None, "limit": None}
        task = {} if length else {**longbench, **more, "questions_per_context": None}
        every_study(length, **task)
    out = tmp_path / "out"
    assert report.main([f"results={tmp_path}", f"out={out}"]) == 0
    assert (out / "report.html").exists()
    table = pd.read_csv(out / "tables/mini-longbench-suite-budgets-own-lengths.csv")
    assert table["method"].tolist() == ["full", "squeezed topk", "streaming"]


@pytest.mark.usefixtures("no_pictures")
def test_a_study_that_fails_leaves_the_page_and_says_so(
    every_study: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("nothing of that name")

    every_study(1024)
    broken = dataclasses.replace(STUDIES["window"], tables=fails)
    monkeypatch.setitem(STUDIES, "window", broken)
    out = tmp_path / "out"
    assert report.main([f"results={tmp_path}", f"out={out}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "study window of mini-ruler-suite-2x2 could not be made" in line
    assert "nothing of that name" in line
    assert "could not be made" in (out / "report.html").read_text()
    assert (out / "tables/mini-ruler-suite-2x2-centroids.csv").exists()


@pytest.mark.usefixtures("no_pictures")
def test_no_space_is_no_fault_of_a_study(
    every_study: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    every_study(1024)
    monkeypatch.setattr(studies, "write_table", full)
    assert report.main([f"results={tmp_path}", f"out={tmp_path / 'out'}"]) == 2
