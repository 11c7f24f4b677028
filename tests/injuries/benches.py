"""What injuries of the bench need: a small sweep, results of it that nothing disturbed, and processes."""

import contextlib
import functools
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.cli import run as cli
from bench.records.files import RECORDS, read_records
from tests.bench.conftest import write_tiny
from tests.forked import PROCESSES
from tests.injuries.world import Outcome

# Times, which every start measures anew, and what says when and by which code.
VOLATILE = {
    *("prefill_ms", "decode_ms_per_token", "prepare_ms", "dense_ms", "index_cached", "time"),
    *("method_ms", "threads", "provenance", "commit"),
}
Records = dict[tuple[str, str], dict[str, Any]]
METHODS = "method=full,squeezed_topk,quest"


class Bench:
    """A sweep of three runs on a random model; ``results`` are those of one that nothing disturbed."""

    def __init__(self, folder: Path) -> None:
        self.tiny, self.cache = folder / "tiny", folder / "cache"
        write_tiny(self.tiny)
        self.results = folder / "good"
        assert self.run(self.results) == 0
        self.records = contents(self.results)

    def arguments(self, results: Path, cache: Path | None = None) -> list[str]:
        # The backend of plain torch: nothing is compiled for a few tries.
        return [
            *("-m", METHODS, f"model.path={self.tiny}", "model.device=cpu", "backend=reference"),
            *(f"results={results}", f"cache_dir={cache or self.cache}"),
            *("task.length=512", "task.samples=3", "task.max_new_tokens=2"),
        ]

    def run(self, results: Path, cache: Path | None = None) -> int:
        """The sweep in this process; its exit code."""
        return quiet(cli.main, self.arguments(results, cache))

    def start(self, results: Path) -> Any:
        """The sweep in a process of its own."""
        process = PROCESSES.Process(target=_run, args=(self.arguments(results),))
        process.start()
        return process

    def copy(self, folder: Path) -> Path:
        """The good results, to be injured."""
        shutil.copytree(self.results, folder)
        return folder


@functools.cache
def bench() -> Bench:
    """The one of this process: to make it takes longer than most injuries."""
    return Bench(Path(_folder().name))


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory()  # goes with the process


def _run(arguments: list[str]) -> None:
    raise SystemExit(quiet(cli.main, arguments))


def quiet(main: Any, arguments: list[str]) -> int:
    """The exit code; what is said is thrown away."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(main(arguments))


def contents(results: Path) -> Records:
    """Every record by its run's folder and its id; a last line that a kill has torn is none."""
    return {
        (str(path.parent.relative_to(results)), record["id"]): record
        for path in sorted(results.rglob(RECORDS))
        for record in read_records(path)
    }


def written(results: Path) -> int:
    """Whole lines of all files of records."""
    return sum(path.read_bytes().count(b"\n") for path in results.rglob(RECORDS))


def compare(
    here: Bench, results: Path, outcome: Outcome, before: Records, allowed: int, good: bool = True
) -> None:
    """Counts one try: ``lost`` are records that differ from those of a run that nothing disturbed.

    ``twice`` are records of ``before`` that were answered again.
    """
    found = contents(results)
    plain = {key: lasting(record) for key, record in found.items()}
    lost = sum(plain.get(key) != lasting(record) for key, record in here.records.items())
    twice = sum(found.get(key) != record for key, record in before.items())
    outcome.tried += 1
    outcome.lost += lost
    outcome.twice += twice
    outcome.allowed += allowed
    outcome.survived += good and not lost and len(found) == len(here.records) and twice <= allowed


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """What two runs of one configuration may not differ in."""
    return {name: value for name, value in record.items() if name not in VOLATILE}
