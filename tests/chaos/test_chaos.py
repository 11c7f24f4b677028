"""One sweep through every injury in turn: in the end its records are those of a sweep that nothing disturbed.

Every disturbance is real: signals to real processes, a file system that is full, changed bytes on the disk,
and indexes that go away while they are read. ``python -m tests.injuries`` does each of them many times;
SIGTERM to a process with workers is in ``tests/bench/cli/test_interrupt.py``.
"""

import json
import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from bench.cli import report, status
from bench.cli import run as cli
from bench.records.files import CONFIG, DAMAGED, RECORDS, SUMMARY
from tests.injuries.benches import bench, contents, lasting, quiet, written
from tests.injuries.runs import NEEDED, changed_bit, changed_score, without_a_field
from tests.injuries.sweeps import LAUNCH, evicting, fill, gone, kill, workers

SAMPLES = 12  # so many that a worker still works when it is killed


@pytest.mark.slow
def test_a_sweep_survives_everything(tmp_path: Path) -> None:
    draw, here = random.Random(7), bench()
    results, cache = tmp_path / "results", tmp_path / "cache"
    results.mkdir()
    shutil.copytree(here.cache, cache)

    assert fill(here, results, 30) == 1
    full = contents(results)
    assert len(full) < len(here.records), "there was room for everything"
    kill(here, results, draw)
    killed = contents(results)
    assert killed.items() >= full.items()
    assert here.run(results) == 0

    first, second, third = sorted(results.rglob(RECORDS))
    changed_score(first)
    first.with_name(CONFIG).unlink()
    second.write_bytes(second.read_bytes()[:-20])
    second.with_name(SUMMARY).write_text("{")
    without_a_field(third, draw)
    changed_bit(draw.choice(sorted(cache.rglob("*.safetensors"))), draw)
    with evicting(cache, draw):
        assert here.run(results, cache) == 0

    found = contents(results)
    assert {key: lasting(each) for key, each in found.items()} == {
        key: lasting(each) for key, each in here.records.items()
    }
    kept = [json.loads(path.read_text()) for path in results.rglob(DAMAGED)]
    assert len(kept) == 2  # nothing is thrown away: a changed line, and one that lacks a field
    assert sum(not each.keys() >= set(NEEDED) for each in kept) == 1
    assert {each.state for each in status.status(results / "runs")} == {"done"}
    assert quiet(report.main, ["leaderboard", f"results={results}", f"out={results}"]) == 0
    left = [path.name for path in results.rglob("*") if "tmp" in path.name]
    assert not [*left, *results.rglob("attempt.json")]


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, so that two processes begin and not three."""
    here = bench()
    killed: list[int] = []

    def kill_one() -> None:
        while not written(tmp_path):
            time.sleep(0.005)
        killed.append(workers(os.getpid())[0])
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    code = cli.main([*here.arguments(tmp_path, samples=SAMPLES), *LAUNCH])
    get_reusable_executor().shutdown()
    thread.join(5)
    assert (code, all(map(gone, killed))) == (1, True)
    assert "error: a job ended before its time" in capsys.readouterr().err
    before = contents(tmp_path)
    assert 0 < len(before) < 3 * SAMPLES
    assert here.run(tmp_path, samples=SAMPLES) == 0
    after = contents(tmp_path)
    assert len(after) == 3 * SAMPLES
    assert after.items() >= before.items()
