"""The status command: every state a run can be in, told without changing anything."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import status
from bench.records.files import open_records

Bench = Callable[..., Any]


@pytest.fixture
def runs(bench: Bench, tmp_path: Path) -> Path:
    """A sweep of four runs, of which one could not be."""
    methods = "method=full,random,streaming,quest"
    assert bench("-m", methods, "method.kv_budget=0.5", "task.samples=2").code == 0
    return tmp_path / "results" / "runs"


def folder(runs: Path, method: str) -> Path:
    (found,) = runs.glob(f"*/*/{method}-*")
    return found


def states(runs: Path) -> dict[str, str]:
    return {each.title.split()[1].split("-")[0]: each.state for each in status.status(runs)}


def test_every_state_is_told(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("summary.json", "records.jsonl", "config.json"):
        (folder(runs, "full") / name).unlink()
    random = folder(runs, "random") / "records.jsonl"
    random.write_text(random.read_text().splitlines()[0] + "\n")
    (folder(runs, "random") / "attempt.json").write_text('{"since": "2026-01-01"}')
    streaming = folder(runs, "streaming")
    (streaming / "records.jsonl").unlink()
    (streaming / "failed.json").write_text('{"reason": "out of memory: <b>"}')
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    assert states(runs) == {
        **{"full": "missing", "random": "stopped", "streaming": "failed", "quest": "done"}
    }
    capsys.readouterr()
    assert status.main([f"results={runs.parent}", "check=true"]) == 1
    text = capsys.readouterr().out
    assert "4 runs: 1 done, 1 failed, 1 stopped, 1 missing" in text
    assert "1 of 2" in text
    assert "out of memory: <b>" in text
    assert "quest-" not in text
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


def test_a_run_that_a_process_has_is_running(runs: Path) -> None:
    place = folder(runs, "full")
    (place / "attempt.json").write_text('{"since": "2026-01-01", "host": "h", "pid": 7}')
    with open_records(place, json.loads((place / "config.json").read_text())):
        (found,) = [each for each in status.status(runs) if each.state == "running"]
        assert found.note == "since 2026-01-01 on h, process 7"
    assert states(runs)["full"] == "done"  # the mark of a process that is gone says nothing


def test_cells_of_csv_are_no_formulas() -> None:
    """Titles hold names of files, and notes the words of errors."""
    state = status.State("1", "failed", 0, 2, "=1+1 full", "@SUM(A1) is no model", "a/b/c")
    (row,) = csv.DictReader(io.StringIO(status.as_csv([state])))
    assert (row["title"], row["note"]) == ("'=1+1 full", "'@SUM(A1) is no model")
    assert (row["answered"], row["folder"]) == ("0", "a/b/c")


def test_csv_has_every_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert status.main([f"results={runs.parent}", "csv=true", "check=true"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 4
    assert {row["state"] for row in rows} == {"done"}
    assert {row["answered"] for row in rows} == {"2"}


def test_a_run_outside_any_sweep(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("method=full", "task.samples=1").code == 0
    assert status.main([f"results={tmp_path / 'results'}", "all=true"]) == 0
    assert "outside any sweep: 1 run: 1 done" in capsys.readouterr().out


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main([f"results={tmp_path / 'none'}"]) == 2
    (tmp_path / "runs").mkdir()
    for wrong in ("sweep=x", "state=dome", "chek=true", "check=maybe", "check"):
        assert status.main([f"results={tmp_path}", wrong]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 6
    assert "did you mean done?" in error
    assert "did you mean check?" in error


def test_json_has_numbers_and_every_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder(runs, "quest") / "summary.json").unlink()
    capsys.readouterr()
    assert status.main([f"results={runs.parent}", "json=true", "check=true"]) == 1
    (sweep,) = json.loads(capsys.readouterr().out)["sweeps"]
    assert sweep["progress"]["states"]["done"] == 3
    assert (sweep["progress"]["answered"], sweep["progress"]["expected"]) == (8, 8)
    assert sorted(run["state"] for run in sweep["runs"]) == ["done", "done", "done", "stopped"]
    done = [run for run in sweep["runs"] if run["state"] == "done"]
    assert all(run["seconds"] > 0 and (runs / run["folder"]).is_dir() for run in done)


@pytest.mark.parametrize("seconds", [{}, {"seconds": None}, {"seconds": "short"}])
def test_a_summary_without_seconds_is_of_a_finished_run(
    runs: Path, seconds: dict[str, Any]
) -> None:
    place = folder(runs, "full") / "summary.json"
    place.write_text(json.dumps({"examples": 2, **seconds}))
    (full,) = [each for each in status.status(runs) if "full" in each.title]
    assert (full.state, full.seconds) == ("done", None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_watching_ends_with_the_last_run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is finished while it is watched."""
    summary = folder(runs, "quest") / "summary.json"
    content = summary.read_text()
    summary.unlink()
    monkeypatch.setattr(status.time, "sleep", lambda seconds: summary.write_text(content))
    for stream, mark in ((Terminal(), "\r"), (io.StringIO(), "\n")):
        summary.unlink(missing_ok=True)
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdout", stream)
            assert status.main([f"results={runs.parent}", "watch=true", "check=true"]) == 0
        text = stream.getvalue()
        first, last = text.index("3 done, 1 stopped; 8 of 8 questions"), text.index("4 done")
        assert mark in text[first:last]
        assert ("\r" in text or "\x1b" in text) == stream.isatty()


def test_watching_as_json_is_a_line_a_change(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = folder(runs, "quest") / "summary.json"
    content, looks = summary.read_text(), iter(range(5))
    summary.unlink()
    monkeypatch.setattr(
        status.time, "sleep", lambda seconds: next(looks) < 3 or summary.write_text(content)
    )
    capsys.readouterr()
    assert status.main([f"results={runs.parent}", "watch=true", "json=true"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["states"]["done"], each["over"]) for each in told] == [(3, False), (4, True)]


@pytest.mark.parametrize("settings", ["csv=true json=true", "csv=true watch=true", "every=0"])
def test_settings_that_do_not_go_together(
    tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.main([f"results={tmp_path}", *settings.split()]) == 2
    assert capsys.readouterr().err.count("\n") == 1
