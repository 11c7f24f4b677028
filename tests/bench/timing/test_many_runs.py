"""Runs that are made for timing: finished ones, as the status command and the report see them."""

from pathlib import Path

from bench.cli import status
from bench.config.spec import digest
from bench.reporting.leaderboard.rows import load_runs
from bench.timing import many_runs

REFERENCE = Path(__file__).parents[3] / "results" / "reference" / "needles"


def test_made_runs_are_finished_and_each_another(tmp_path: Path) -> None:
    study = tmp_path / "studies" / "needles"
    study.mkdir(parents=True)
    (study / "records.parquet").write_bytes((REFERENCE / "records.parquet").read_bytes())
    runs = tmp_path / "runs"
    real = len(many_runs._runs(study.parent))
    written = many_runs.make(real + 2, study.parent, runs)
    found = load_runs(runs)
    assert sum(len(records) for _, records, _ in found) == written
    assert len({digest(identity) for identity, *_ in found}) == real + 2
    assert {each.state for each in status.status(runs)} == {"done"}
