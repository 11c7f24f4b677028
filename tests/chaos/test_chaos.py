"""One sweep through many injuries in turn: in the end its records are those of one that nothing disturbed.

Every disturbance is real: a killed process, a file system that is full, changed bytes on the disk, and
indexes that go away while they are read. This is a small sample: ``python -m tests.injuries`` does each of
them many times, and kills workers. SIGTERM to a process with workers: ``tests/bench/cli/test_interrupt.py``.
"""

import json
import random
import shutil
from pathlib import Path

import pytest

from bench.cli import report, status
from bench.records.files import CONFIG, DAMAGED, RECORDS, SUMMARY
from tests.injuries.benches import bench, contents, lasting, quiet
from tests.injuries.runs import NEEDED, changed_bit, changed_score, without_a_field
from tests.injuries.sweeps import evicting, fill, kill


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
