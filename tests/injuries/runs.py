"""Injuries of runs, indexes and leaderboards. What is paid here is a question: a model answers it."""

import contextlib
import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bench.cli import report
from bench.cli import run as cli
from bench.records.files import CHECK, CONFIG, RECORDS, read_records
from bench.records.stored import Record
from bench.runs.index_cache import COMPLETE, IndexCache
from tests.bench.conftest import write_tiny
from tests.injuries.world import Outcome

NEEDED = [name for name, field in Record.model_fields.items() if field.is_required()]
LEADERBOARD = "leaderboard.csv"
# Times, which every start measures anew, and what says when and by which code.
VOLATILE = {
    *("prefill_ms", "decode_ms_per_token", "prepare_ms", "dense_ms", "index_cached", "time"),
    *("threads", "provenance", "commit"),
}
Records = dict[tuple[str, str], dict[str, Any]]
METHODS = "method=full,squeezed_topk"


class Bench:
    """The bench in this process, on a random model; ``results`` are those of a run that nothing disturbed."""

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

    def run(self, results: Path, cache: Path | None = None, *more: str) -> int:
        return quiet(cli.main, [*self.arguments(results, cache), *more])

    def copy(self, folder: Path) -> Path:
        """The good results, to be injured."""
        shutil.copytree(self.results, folder)
        return folder


def quiet(main: Any, arguments: list[str]) -> int:
    """The exit code; what is said is thrown away."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(main(arguments))


def contents(results: Path) -> Records:
    """Every record by its run's folder and its id."""
    return {
        (str(path.parent.relative_to(results)), record["id"]): record
        for path in sorted(results.rglob(RECORDS))
        for record in read_records(path)
    }


def compare(
    here: Bench, results: Path, outcome: Outcome, before: Records, allowed: int, good: bool = True
) -> None:
    """Counts one try: ``lost`` are records that differ from those of a run that nothing disturbed.

    ``twice`` are records of ``before`` that were answered again.
    """
    found = contents(results)
    plain = {key: _lasting(record) for key, record in found.items()}
    lost = sum(plain.get(key) != _lasting(record) for key, record in here.records.items())
    twice = sum(found.get(key) != record for key, record in before.items())
    outcome.tried += 1
    outcome.lost += lost
    outcome.twice += twice
    outcome.allowed += allowed
    outcome.survived += good and not lost and len(found) == len(here.records) and twice <= allowed


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in VOLATILE}


def configurations(tries: int, seed: int, folder: Path) -> Outcome:
    """``config.json`` of a finished run gone, cut off or empty: one start writes it, and asks nothing."""
    outcome, here = Outcome(), Bench(folder)
    for number in range(tries):
        draw = random.Random(f"{seed} configurations {number}")
        results = here.copy(folder / str(number))
        here.run(results)  # the configuration names the folder, which is another one now
        path = draw.choice(sorted(results.rglob(CONFIG)))
        whole = path.read_bytes()
        path.unlink()
        if content := draw.choice((b"", whole[: draw.randrange(len(whole))], b"{}")):
            path.write_bytes(content)
        code = here.run(results)
        compare(
            here,
            results,
            outcome,
            here.records,
            0,
            code == 0 and path.read_bytes() == whole,
        )
    return outcome


def fields(tries: int, seed: int, folder: Path) -> Outcome:
    """A line of records without a field that every table needs: that question is answered once more."""
    outcome, here = Outcome(), Bench(folder)
    for number in range(tries):
        draw = random.Random(f"{seed} fields {number}")
        results = here.copy(folder / str(number))
        path = draw.choice(sorted(results.rglob(RECORDS)))
        lines = path.read_text().splitlines()
        place = draw.randrange(len(lines))
        record = json.loads(lines[place])
        for name in (draw.choice(NEEDED), CHECK):
            del record[name]
        lines[place] = json.dumps(record)
        path.write_text("\n".join(lines) + "\n")
        compare(here, results, outcome, here.records, 1, here.run(results) == 0)
    return outcome


def merges(tries: int, seed: int, folder: Path) -> Outcome:
    """A leaderboard of others that contradicts, is damaged or is not there: ours stays, byte by byte."""
    outcome, here = Outcome(), Bench(folder)
    for number in range(tries):
        draw = random.Random(f"{seed} merges {number}")
        results = here.copy(folder / str(number))
        asked = ["leaderboard", f"results={results}", f"out={results}"]
        made = quiet(report.main, asked) == 0
        board, theirs = results / LEADERBOARD, results / "theirs.csv"
        whole = board.read_bytes()
        rows = list(csv.DictReader(io.StringIO(whole.decode())))
        column = draw.choice(("score", "n", "kv_budget"))
        draw.choice(rows)[column] = draw.choice(("", "many", "-3"))
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
        if (kind := draw.random()) < 0.8:
            theirs.write_bytes(content if kind < 0.6 else content[: len(content) // 2] + b'"\xff')
        refused = quiet(report.main, [*asked, f"merge=[{theirs}]"]) == 2
        compare(
            here,
            results,
            outcome,
            here.records,
            0,
            made and refused and board.read_bytes() == whole,
        )
    return outcome


def evictions(tries: int, seed: int, folder: Path) -> Outcome:
    """Indexes evicted while runs make and read them: made again, and the answers are the same."""
    outcome, here = Outcome(), Bench(folder)
    for number in range(tries):
        results, cache = folder / str(number), folder / f"cache-{number}"
        shutil.copytree(here.cache, cache)
        over = threading.Event()
        draw = random.Random(f"{seed} evictions {number}")

        def evict(cache: Path = cache, over: threading.Event = over, draw: Any = draw) -> None:
            while not over.wait(draw.random() / 20):
                evict_all(cache)

        thread = threading.Thread(target=evict)
        thread.start()
        try:
            code = here.run(results, cache)
        finally:
            over.set()
            thread.join()
        compare(here, results, outcome, {}, 0, code == 0)
    return outcome


def evict_all(cache: Path) -> None:
    """Another process makes room, with a cap below every index."""
    small = IndexCache(cache, max_bytes=10)
    with contextlib.suppress(OSError), small.lock("other"):
        small.publish("other", 10, lambda made: (made / COMPLETE).touch())


def terminations(tries: int, seed: int, folder: Path) -> Outcome:
    """SIGTERM to the process that has workers, after any number of records: all end, and a start goes on."""
    outcome, here = Outcome(), Bench(folder)
    for number in range(tries):
        draw = random.Random(f"{seed} terminations {number}")
        results = folder / str(number)
        launch = ("hydra/launcher=processes", "hydra.launcher.n_jobs=2", "group_jobs=false")
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", *here.arguments(results), *launch],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wanted = draw.randint(1, len(here.records) - 2)
        while written(results) < wanted and process.poll() is None:
            time.sleep(0.005)
        below = children(process.pid)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=600)
        ended = all(gone(each) for each in below)
        before = contents(results)
        good = code in (0, 130) and ended and here.run(results) == 0
        compare(here, results, outcome, before, 0, good)
    return outcome


def written(results: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.rglob(RECORDS))


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def gone(pid: int, seconds: float = 30) -> bool:
    """Whether a process has ended, or ends soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


INJURIES = {
    "a finished run without a whole `config.json`": (configurations, 1.0),
    "a record without a needed field": (fields, 1.0),
    "a merge that is refused": (merges, 1.0),
    "an index evicted while it is read": (evictions, 0.5),
    "SIGTERM to a process with workers": (terminations, 0.1),
}
