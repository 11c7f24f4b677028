"""Runs that another process has are waited for; a process that is killed holds up nobody."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest

from bench.records.files import LOCK
from bench.runs import work

Bench = Callable[..., Any]
SWEEP = ("-m", "method=full,random", "task.samples=1")


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Somebody else has the run in a folder, and lets it go when it is waited for."""

    def held(place: Path, leaves: bytes | None = None) -> None:
        lock = filelock.FileLock(place / LOCK, thread_local=False)
        lock.acquire()

        def let_go(_: float) -> None:
            if leaves is not None:
                (place / "summary.json").write_bytes(leaves)
            lock.release()

        monkeypatch.setattr(work, "sleep", let_go)

    return held


def folder(tmp_path: Path, method: str) -> Path:
    (found,) = tmp_path.glob(f"results/runs/*/*/{method}-*")
    return found


@pytest.mark.parametrize("arguments", [SWEEP, ("method=full", "task.samples=1")])
def test_a_busy_run_is_waited_for_and_its_result_taken(
    bench: Bench, tmp_path: Path, hold: Callable[..., None], arguments: tuple[str, ...]
) -> None:
    assert bench(*arguments).code == 0
    place = folder(tmp_path, "full")
    summary = (place / "summary.json").read_bytes()
    (place / "summary.json").unlink()  # as while the other one works on it
    hold(place, leaves=summary)
    done = bench(*arguments)
    assert done.code == 0, done.err
    said = "another process works on niah_single_1-512 full; waiting"
    assert done.out.count(said) == 1
    assert "score" in done.out.partition(said)[2]


def test_other_runs_come_first(bench: Bench, tmp_path: Path, hold: Callable[..., None]) -> None:
    assert bench(*SWEEP).code == 0
    place = folder(tmp_path, "full")
    (place / "summary.json").unlink()
    hold(place)
    done = bench(*SWEEP)
    assert done.code == 0
    numbers = [line.split()[0] for line in done.out.splitlines() if line.startswith("[")]
    assert numbers == ["[1/2]", "[2/2]", "[1/2]"]


def test_a_process_that_is_killed_gives_its_run_back(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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

    def kill(_: float) -> None:
        holder.kill()
        holder.wait()

    monkeypatch.setattr(work, "sleep", kill)  # when it is waited for
    done = bench("method=full", "task.samples=1")
    assert done.code == 0, done.err
    assert "waiting" in done.out
