"""Injuries of a sweep while it runs: signals to real processes, a disk that is full, indexes that go away."""

import contextlib
import ctypes
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cli import run as cli
from bench.runs.index_cache import COMPLETE, IndexCache
from tests.forked import PROCESSES
from tests.injuries.benches import Bench, bench, compare, contents, quiet, written
from tests.injuries.world import Outcome

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
LAUNCH = ("hydra/launcher=processes", "hydra.launcher.n_jobs=2", "group_jobs=false")


def kills(tries: int, seed: int, folder: Path) -> Outcome:
    """kill -9 after any number of records, one to three times; then a run to the end."""
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} kills of the bench {number}")
        results = folder / str(number)
        before = {}
        for _ in range(draw.randint(1, 3)):
            kill(here, results, draw)
            before |= contents(results)
        compare(here, results, outcome, before, 0, here.run(results) == 0)
    return outcome


def kill(here: Bench, results: Path, draw: random.Random) -> None:
    """A process with the sweep, killed some time after any of its records."""
    wanted = written(results) + draw.randint(0, 3)
    process = here.start(results)
    while process.is_alive() and written(results) < wanted:
        time.sleep(0.001)
    time.sleep(draw.random() / 20)
    process.kill()
    process.join()


def disks(tries: int, seed: int, folder: Path) -> Outcome:
    """The disk of the results full after any write; then there is room again, and a run to the end.

    Where hardly any room is left, a sweep is refused before it begins, with exit code 2.
    """
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} disks {number}")
        results = folder / str(number)
        results.mkdir()
        codes = [fill(here, results, draw.randint(0, 60)) for _ in range(draw.randint(1, 3))]
        before = contents(results)
        whole = here.run(results) == 0
        compare(here, results, outcome, before, 0, whole and set(codes) <= {0, 1, 2})
    return outcome


def fill(here: Bench, results: Path, room: int) -> int:
    """The sweep where ``room`` KiB are left; its exit code."""
    process = PROCESSES.Process(target=_fill, args=(here.arguments(results), results, room))
    process.start()
    process.join()
    return int(process.exitcode or 0)


def _fill(arguments: list[str], results: Path, room: int) -> None:
    """On a small file system of this process alone, or where none may be made, with short files."""
    used = sum(-(-path.stat().st_size // 4096) + 1 for path in results.rglob("*")) * 4 + 8
    aside = results.with_name(f"{results.name}-aside")
    shutil.copytree(results, aside)
    mounted = _mount(results, used + room)
    if mounted:
        shutil.copytree(aside, results, dirs_exist_ok=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # no file beyond one record
    code = quiet(cli.main, arguments)
    if mounted:
        shutil.rmtree(aside)
        shutil.copytree(results, aside)
        subprocess.run(["umount", str(results)], check=True)
        shutil.copytree(aside, results, dirs_exist_ok=True)
    shutil.rmtree(aside)
    raise SystemExit(code)


def _mount(place: Path, size: int) -> bool:
    """Mounts an empty file system of ``size`` KiB, which no other process sees; whether that is allowed."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        return False
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(content)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def evictions(tries: int, seed: int, folder: Path) -> Outcome:
    """Indexes evicted while runs make and read them: made again, and the answers are the same."""
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} evictions {number}")
        results, cache = folder / str(number), folder / f"cache-{number}"
        shutil.copytree(here.cache, cache)
        with evicting(cache, draw):
            code = here.run(results, cache)
        compare(here, results, outcome, {}, 0, code == 0)
    return outcome


@contextlib.contextmanager
def evicting(cache: Path, draw: random.Random) -> Any:
    """Inside the block all indexes go, again and again, as if another job made room."""
    over = threading.Event()

    def evict() -> None:
        while not over.wait(draw.random() / 20):
            evict_all(cache)

    thread = threading.Thread(target=evict)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def evict_all(cache: Path) -> None:
    """Another job makes room, with a cap below every index."""
    small = IndexCache(cache, max_bytes=10)
    with contextlib.suppress(OSError), small.lock("other"):
        small.publish("other", 10, lambda made: (made / COMPLETE).touch())


def worker_kills(tries: int, seed: int, folder: Path) -> Outcome:
    """kill -9 of one of two workers: the sweep ends with an error, and a start goes on."""
    return _with_workers(tries, f"{seed} workers", folder, _kill_one, {1})


def terminations(tries: int, seed: int, folder: Path) -> Outcome:
    """SIGTERM to the process that has workers, and to none of them: all end, and a start goes on."""
    return _with_workers(tries, f"{seed} terminations", folder, _terminate, {130})


def _with_workers(
    tries: int,
    seed: str,
    folder: Path,
    signalled: Callable[[int, list[int], random.Random], None],
    codes: set[int],
) -> Outcome:
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} {number}")
        results = folder / str(number)
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", *here.arguments(results), *LAUNCH],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wanted = draw.randint(1, len(here.records) - 3)
        while written(results) < wanted and process.poll() is None:
            time.sleep(0.005)
        below = workers(process.pid)
        signalled(process.pid, below, draw)
        code = process.wait(timeout=600)
        good = code in {*codes, 0} and all(map(gone, below))
        before = contents(results)
        compare(here, results, outcome, before, 0, here.run(results) == 0 and good)
    return outcome


def _kill_one(parent: int, below: list[int], draw: random.Random) -> None:
    os.kill(draw.choice(below), signal.SIGKILL)


def _terminate(parent: int, below: list[int], draw: random.Random) -> None:
    os.kill(parent, signal.SIGTERM)


def workers(pid: int) -> list[int]:
    """Joblib's workers of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(each)
        for each in children
        if b"LokyProcess" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]


def gone(pid: int, seconds: float = 30) -> bool:
    """Whether a process has ended, or ends soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


INJURIES = {
    "kill -9 of a sweep at any record": (kills, 1.0),
    "a full disk under a sweep": (disks, 1.0),
    "an index evicted while it is read": (evictions, 1.0),
    "kill -9 of one of a sweep's workers": (worker_kills, 0.1),
    "SIGTERM to a process with workers": (terminations, 0.1),
}
