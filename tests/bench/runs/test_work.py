"""Runs that another process has are waited for; a process that is killed holds up nobody."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import pytest

from bench.records.files import LOCK
from bench.runs import work

Bench = Callable[..., Any]
SWEEP = ("-m", "method=full,random", "task.samples=1")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LOOK", 0.05)


@contextmanager
def held_for(seconds: float, folder: Path) -> Iterator[None]:
    """The run in a folder belongs to somebody else, who lets it go after some time."""
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    lock.acquire()
    timer = threading.Timer(seconds, lock.release)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def folder(tmp_path: Path, method: str) -> Path:
    (found,) = tmp_path.glob(f"results/runs/*/*/{method}-*")
    return found


@pytest.mark.parametrize("arguments", [SWEEP, ("method=full", "task.samples=1")])
def test_a_busy_run_is_waited_for_and_its_result_taken(
    bench: Bench, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert bench(*arguments).code == 0
    place = folder(tmp_path, "full")
    summary = (place / "summary.json").read_bytes()
    (place / "summary.json").unlink()  # as while the other one works on it
    with held_for(1.5, place):
        threading.Timer(1.0, (place / "summary.json").write_bytes, [summary]).start()
        done = bench(*arguments)
    assert done.code == 0, done.err
    assert "another process works on niah_single_1-512 full; waiting" in done.out
    assert "full                               score" in done.out


def test_other_runs_come_first(bench: Bench, tmp_path: Path) -> None:
    assert bench(*SWEEP).code == 0
    place = folder(tmp_path, "full")
    (place / "summary.json").unlink()
    with held_for(1.5, place):
        done = bench(*SWEEP)
    assert done.code == 0
    numbers = [line.split()[0] for line in done.out.splitlines() if line.startswith("[")]
    assert numbers == ["[2/2]", "[1/2]", "[1/2]"]


def test_a_process_that_is_killed_gives_its_run_back(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=full", "task.samples=1").code == 0
    place = folder(tmp_path, "full")
    (place / "summary.json").unlink()
    program = (
        "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
        "print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(place / LOCK)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    threading.Timer(1.0, holder.terminate).start()
    done = bench("method=full", "task.samples=1")
    holder.wait()
    assert done.code == 0, done.err
    assert "waiting" in done.out
