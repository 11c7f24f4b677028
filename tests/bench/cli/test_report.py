"""The report's command line; what it makes is tested with the reporting."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import report
from bench.reporting.names import STUDY_NAMES
from bench.reporting.studies import STUDIES


def test_the_studies_that_can_be_asked_for_are_those_there_are() -> None:
    assert tuple(STUDIES) == STUDY_NAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results=none"], "no folder none/runs"),
        (["study=budgts"], "did you mean budgets?"),
        (["formats=docx"], "formats is 'docx'; expected one of tex, pdf"),
        (["leaderboard", "check=none.csv"], "none.csv: no such file"),
        (["leaderboard", "merge=a.csv,b.csv"], "a.csv: no such file"),
        (["leaderbord"], "unknown key 'leaderbord'"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_report_does_without_the_engine() -> None:
    program = """
import sys
import bench.reporting.leaderboard.board, bench.reporting.page.write, bench.reporting.studies
from bench.reporting import heads
from bench.reporting.tables import longbench, needle_places, overview, prefixqa, probes
from bench.reporting.variants import variant
assert variant({"method": {"name": "squeezed_best", "bits": 3}}) == "bits=3"
print(sorted({"torch", "transformers", "numba"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
