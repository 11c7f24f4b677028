"""What a leaderboard refuses, by the number of the row."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.cli import report
from bench.reporting.leaderboard.schema import read
from tests.bench.reporting.conftest import FULL, squeezed

Write = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def board(write_run: Write, tmp_path: Path) -> Path:
    """A good leaderboard of two rows: full attention, and Squeezed."""
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), (1, 1, 0, 0), budget=0.2)
    assert leaderboard(tmp_path) == 0
    return tmp_path / "out" / "leaderboard.csv"


def leaderboard(folder: Path, *arguments: str) -> int:
    paths = [f"results={folder}", f"out={folder / 'out'}"]
    return report.main(["leaderboard", *paths, *arguments])


def changed(path: Path, row: int, column: str, value: str) -> Path:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row - 1, column] = value
    table.to_csv(path, index=False)
    return path


def test_a_good_one_passes(board: Path, capsys: Captured) -> None:
    assert report.main(["leaderboard", f"check={board}"]) == 0
    assert "2 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (2, "score", "good", "row 2: score is 'good'"),
        (2, "n", "3.5", "row 2: n is '3.5'"),
        (1, "score", "1.2", "row 1: score is '1.2'"),
        (2, "model", "", "row 2: model is ''"),
        (1, "method", "oracle", "row 1: no dense row"),
        (2, "commit", "def", "row 2: commit def, but abc of its dense row 1"),
        (2, "commit", "abc+def", "row 2: its records are of several commits"),
        (2, "prompts", "official", "row 2: no dense row (method full) for model mini"),
        (2, "data", "e3b0", "row 2: no dense row"),
        (2, "score_ci_low", "0.99", "row 2: score is 0.5, outside of its interval from 0.99"),
        (2, "delta_ci_high", "-0.9", "row 2: delta is -0.25, outside of its interval"),
        (
            2,
            "full_score",
            "0.6",
            "row 2: delta is -0.25, but score 0.5 less full_score 0.6 is -0.1",
        ),
    ],
)
def test_a_bad_row_is_refused_by_its_number(
    board: Path, capsys: Captured, row: int, column: str, value: str, message: str
) -> None:
    path = changed(board, row, column, value)
    assert report.main(["leaderboard", f"check={path}"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_file_without_a_column_is_no_leaderboard(board: Path, capsys: Captured) -> None:
    pd.read_csv(board).drop(columns="variant").to_csv(board, index=False)
    assert report.main(["leaderboard", f"check={board}"]) == 2
    assert "lacks the columns variant" in capsys.readouterr().err


def test_merge_takes_in_rows_of_others_once(board: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(board.read_text())
    changed(changed(other, 1, "model", "big"), 2, "model", "big")
    assert leaderboard(tmp_path, f"merge=[{other},{board}]") == 0
    assert pd.read_csv(board)["model"].tolist() == ["mini", "mini", "big", "big"]


def test_merge_refuses_rows_that_contradict(board: Path, tmp_path: Path, capsys: Captured) -> None:
    other = tmp_path / "other.csv"
    other.write_text(board.read_text())
    changed(other, 2, "prefill_ms", "0.9")
    assert leaderboard(tmp_path, f"merge={other}") == 2
    assert "other.csv, row 2: beside the other rows the same method" in capsys.readouterr().err
    assert len(pd.read_csv(board)) == 2  # the file is as it was


def test_the_report_leaves_out_what_cannot_be_compared(
    write_run: Write, tmp_path: Path, capsys: Captured
) -> None:
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), budget=0.2, commit="def")
    assert report.main([f"results={tmp_path}", f"out={tmp_path / 'out'}"]) == 0
    assert "left out of leaderboard.csv: commit def" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "out/leaderboard.csv")["method"].tolist() == ["full"]
    assert leaderboard(tmp_path) == 2


def test_the_schema_is_printed(capsys: Captured) -> None:
    assert report.main(["leaderboard", "schema=true"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["kv_budget"]["exclusiveMinimum"] == 0
    assert "measured_sparsity" in schema["required"]


def test_a_merge_that_is_refused_leaves_the_file_as_it_was(
    board: Path, tmp_path: Path, capsys: Captured
) -> None:
    theirs = tmp_path / "theirs.csv"
    theirs.write_bytes(board.read_bytes())
    assert leaderboard(tmp_path, f"merge=[{theirs}]") == 0
    whole = board.read_bytes() + b"\n"  # a mark: nothing has written it since
    board.write_bytes(whole)
    changed(theirs, 2, "score", "0.123")
    assert leaderboard(tmp_path, f"merge=[{theirs}]") == 2
    assert board.read_bytes() == whole


def test_cells_that_are_formulas_are_text_and_come_back(board: Path, tmp_path: Path) -> None:
    changed(board, 2, "subtask", "=1+1")
    changed(board, 1, "subtask", "=1+1")
    for number in (1, 2):
        changed(board, number, "model", "+x")
    out = tmp_path / "together"
    merged = report.main(["leaderboard", f"results={tmp_path}", f"out={out}", f"merge=[{board}]"])
    assert merged == 0
    text = (out / "leaderboard.csv").read_text()
    assert ",'=1+1," in text
    assert "'+x," in text
    assert not any(cell.startswith(("=", "+", "@")) for cell in text.replace("\n", ",").split(","))
    models = {row["model"] for row in read(out / "leaderboard.csv")}
    assert "+x" in models
    negative = [cell for cell in text.split(",") if cell.startswith("-")]
    assert all(float(cell) < 0 for cell in negative)


def test_a_file_that_excel_saved_is_read(board: Path) -> None:
    board.write_bytes(b"\xef\xbb\xbf" + board.read_bytes())
    assert report.main(["leaderboard", f"check={board}"]) == 0


def test_a_folder_without_configuration_does_not_hold_up_the_others(
    write_run: Write, tmp_path: Path, capsys: Captured
) -> None:
    write_run(FULL)
    (write_run(squeezed(sparsity=0.9)) / "config.json").unlink()
    assert leaderboard(tmp_path) == 0
    assert "its run, started again, writes it" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "out" / "leaderboard.csv")) == 1


@pytest.mark.parametrize("answered", [None, 3, 4])
def test_a_run_without_a_known_number_of_rows_is_finished_by_its_summary(
    write_run: Write, tmp_path: Path, answered: int | None, capsys: Captured
) -> None:
    """LongBench's files have as many records as they have: half of a run counted as all of it."""
    folder = write_run(FULL, samples=None, questions_per_context=None)
    if answered is not None:
        (folder / "summary.json").write_text(json.dumps({"examples": answered}))
    assert leaderboard(tmp_path) == 0
    table = pd.read_csv(tmp_path / "out" / "leaderboard.csv")
    assert table["complete"].tolist() == [answered == 4]
    site = tmp_path / "site"
    assert report.main([f"results={tmp_path}", f"site={site}"]) == 0
    assert report.main([f"results={tmp_path}", f"out={tmp_path / 'all'}"]) == 0
    assert ("not finished" in capsys.readouterr().out) == (answered != 4)


@pytest.mark.parametrize("batch", [0, -1, "many"])
def test_a_batch_that_is_no_number_of_questions_is_damage(
    write_run: Write, tmp_path: Path, batch: object, capsys: Captured
) -> None:
    """Times are divided by it."""
    path = write_run(FULL) / "records.jsonl"
    records = [json.loads(line) | {"batch": batch} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    assert leaderboard(tmp_path) == 1
    assert "is damaged: batch: Input should be" in capsys.readouterr().err
