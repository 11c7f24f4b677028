"""A sweep of 24 runs through killed workers, a full disk and damaged files: in the end nothing differs.

Every disturbance is real: signals to real processes, a file system that is full (a small tmpfs where the
system lets us mount one, else a limit on the size of files), changed bytes on the disk, and indexes that are
evicted while a sweep reads them. ``python -m tests.injuries`` does each of them many times.
"""

import json
import os
import random
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import report, status
from bench.records.files import CHECK, read_records
from tests.injuries.runs import NEEDED, evict_all, gone

Bench = Callable[..., Any]
SWEEP = (
    *("-m", "method=random,streaming,squeezed_topk,quest", "method.sparsity=0.5,0.8"),
    "task.subtask=niah_single_1,niah_multikey_1,niah_multikey_2",
)
SETTINGS = ("task.length=512", "task.samples=2", "task.max_new_tokens=2", "model.device=cpu")
JOBS, QUESTIONS = 24, 2
# What two runs of one configuration may differ in.
VOLATILE = {
    *("prefill_ms", "decode_ms_per_token", "prepare_ms", "dense_ms", "index_cached", "time"),
    *("threads", "provenance", "commit"),
}


class Sweep:
    """The sweep in processes of its own, always with the same folders."""

    def __init__(self, tiny: Path, folder: Path) -> None:
        self.results, self.cache, self.tiny = folder / "results", folder / "cache", tiny
        self.runs = self.results / "runs"

    def command(self, *more: str, results: Path | None = None) -> list[str]:
        places = [f"results={results or self.results}", f"cache_dir={self.cache}"]
        model = f"model.path={self.tiny}"
        return [sys.executable, "-m", "bench", *SWEEP, *SETTINGS, model, *places, *more]

    def start(self, *more: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            self.command(*more), stdout=pipe, stderr=pipe, text=True, env=environment
        )

    def written(self) -> int:
        """Whole lines of all record files."""
        return sum(path.read_bytes().count(b"\n") for path in self.runs.rglob("records.jsonl"))

    def wait_for_records(self, count: int, process: "subprocess.Popen[str]") -> None:
        end = time.monotonic() + 240  # on a busy machine that compiles first
        while self.written() < count:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < end, "no records came"
            time.sleep(0.005)


def content(runs: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Every record by its run's folder and its id, without what may differ."""
    found = {}
    for path in sorted(runs.rglob("records.jsonl")):
        for record in read_records(path):
            key = (str(path.parent.relative_to(runs)), record["id"])
            assert key not in found
            found[key] = {k: v for k, v in record.items() if k not in VOLATILE}
    return found


def workers(pid: int) -> list[int]:
    """Joblib's worker processes of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(each)
        for each in children
        if b"LokyProcess" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]


def kill_a_worker(sweep: Sweep, chance: random.Random) -> None:
    """Two workers; one of them is killed after a few records."""
    process = sweep.start("hydra/launcher=processes", "hydra.launcher.n_jobs=2", "group_jobs=false")
    sweep.wait_for_records(chance.randint(3, 9), process)
    os.kill(chance.choice(workers(process.pid)), signal.SIGKILL)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "error: a job ended before its time" in error
    assert sweep.written() < JOBS * QUESTIONS, "everything was done before the kill"


def end_the_parent(sweep: Sweep, chance: random.Random) -> None:
    """SIGTERM to the process that has workers, and to none of them: all end, and say what is kept."""
    process = sweep.start("hydra/launcher=processes", "hydra.launcher.n_jobs=2", "group_jobs=false")
    sweep.wait_for_records(sweep.written() + chance.randint(1, 3), process)
    below = workers(process.pid)
    process.terminate()
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "every answer that is recorded is kept" in error
    assert all(gone(each) for each in below)
    assert sweep.written() < JOBS * QUESTIONS, "everything was done before the signal"


def kill_the_process(sweep: Sweep, chance: random.Random) -> None:
    """All in one process, whose indexes another evicts, killed after a few more records."""
    process = sweep.start()
    before = sweep.written()
    sweep.wait_for_records(before + 1, process)
    evict_all(sweep.cache)
    sweep.wait_for_records(before + chance.randint(2, 6), process)
    process.kill()
    process.communicate(timeout=60)
    assert sweep.written() < JOBS * QUESTIONS, "everything was done before the kill"


def fill_the_disk(sweep: Sweep) -> None:
    """The sweep on a file system that has room for a few more records, but not for all."""
    before = sweep.written()
    place = sweep.results.parent / "small"
    place.mkdir()
    used = int(subprocess.check_output(["du", "-sk", sweep.results]).split()[0])
    inside = (
        f"mount -t tmpfs -o size={used + 190}k none {shlex.quote(str(place))} || exit 99; "
        f"cp -a {shlex.quote(str(sweep.results))}/. {shlex.quote(str(place))}; "
        f"{shlex.join(sweep.command(results=place))}; code=$?; "
        f"find {shlex.quote(str(sweep.results))} -mindepth 1 -delete; "
        f"cp -a {shlex.quote(str(place))}/. {shlex.quote(str(sweep.results))}; exit $code"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", inside], capture_output=True, text=True, check=False
    )
    if done.returncode == 99 or "unshare" in done.stderr:  # such mounts are not allowed here
        done = subprocess.run(
            sweep.command(), capture_output=True, text=True, check=False, preexec_fn=limit_files
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No space left on device" in done.stderr or "File too large" in done.stderr
    assert "Make room and run the same command again" in done.stderr
    assert before <= sweep.written() < JOBS * QUESTIONS


def limit_files() -> None:
    """No file may grow beyond one record."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


def damage(sweep: Sweep, chance: random.Random) -> None:
    """A bit of an index, a changed line, one without a field, a torn line, a torn summary, no config.json."""
    tensors = chance.choice(sorted(sweep.cache.rglob("*.safetensors")))
    bits = bytearray(tensors.read_bytes())
    bits[-chance.randint(1, 500)] ^= 4
    tensors.write_bytes(bits)
    whole = sorted(sweep.runs.rglob("summary.json"))
    first, second, third, fourth = chance.sample(whole, 4)
    records = first.with_name("records.jsonl")
    lines = records.read_bytes().splitlines(keepends=True)
    score = lines[0].index(b'"score": 0.0')
    lines[0] = (
        lines[0][: score + 9] + b"1" + lines[0][score + 10 :]
    )  # still JSON, with another score
    records.write_bytes(b"".join(lines))
    torn = second.with_name("records.jsonl")
    torn.write_bytes(torn.read_bytes()[:-20])
    second.write_text(second.read_text()[:30])
    lacking = third.with_name("records.jsonl")
    head, *rest = lacking.read_text().splitlines(keepends=True)
    record = json.loads(head)
    del record[chance.choice(NEEDED)], record[CHECK]
    lacking.write_text(json.dumps(record) + "\n" + "".join(rest))
    fourth.with_name("config.json").unlink()


def refuse_a_merge(sweep: Sweep) -> None:
    """A leaderboard of others that contradicts ours, which stays byte by byte as it is."""
    asked = ["leaderboard", f"results={sweep.results}", f"out={sweep.results}"]
    assert report.main(asked) == 0
    board, theirs = sweep.results / "leaderboard.csv", sweep.results.parent / "theirs.csv"
    whole = board.read_bytes()
    theirs.write_text(whole.decode().replace(",niah_single_1,", ",,"))
    assert report.main([*asked, f"merge=[{theirs}]"]) == 2
    assert board.read_bytes() == whole


@pytest.mark.slow
def test_a_sweep_survives_everything(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    sweep = Sweep(tiny, tmp_path / "disturbed")

    kill_a_worker(sweep, chance)
    fill_the_disk(sweep)
    damage(sweep, chance)
    end_the_parent(sweep, chance)
    kill_the_process(sweep, chance)
    places = (f"results={sweep.results}", f"cache_dir={sweep.cache}")
    last = bench(*SWEEP, *places)
    assert last.code == 0, last.err
    assert last.out.count("moved 1 damaged lines") <= 2

    assert bench(*SWEEP).code == 0  # undisturbed, in folders of its own
    wanted = content(tmp_path / "results" / "runs")
    assert len(wanted) == JOBS * QUESTIONS
    assert content(sweep.runs) == wanted
    kept = [json.loads(path.read_text()) for path in sweep.runs.rglob("records.damaged.jsonl")]
    assert len(kept) == 2  # nothing is thrown away: a changed line, and one that lacks a field
    assert sum(not kept_line.keys() >= set(NEEDED) for kept_line in kept) == 1
    refuse_a_merge(sweep)
    assert {each.state for each in status.status(sweep.runs)} == {"done"}
    leftovers = [path.name for path in sweep.results.rglob("*") if "tmp" in path.name]
    leftovers += [path.name for path in sweep.results.rglob("attempt.json")]
    assert not leftovers
