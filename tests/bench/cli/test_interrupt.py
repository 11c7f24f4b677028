"""Ctrl-C: one line that says what is kept, exit code 130, and the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import status
from tests import forked

SMALL = ("task.length=512", "task.samples=100", "task.max_new_tokens=2", "cache_dir=null")


def interrupted(
    process: forked.Process, folder: Path, send: Callable[[int], None] | None = None
) -> str:
    """Sends Ctrl-C to the whole group when the first answer is recorded, or what ``send`` sends; returns
    what stderr says."""
    end = time.monotonic() + 240
    while not any(path.stat().st_size for path in folder.rglob("records.jsonl")):
        assert process.poll() is None, process.wait(1)
        assert time.monotonic() < end
        time.sleep(0.1)
    if send is None:
        os.killpg(process.pid, signal.SIGINT)
    else:
        send(process.pid)
    done = process.wait(120)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    return done.stderr.split("\r")[-1]


def test_a_run_ends_with_one_line_and_goes_on(tiny: Path, tmp_path: Path) -> None:
    run = ("method=full", f"model.path={tiny}", "model.device=cpu", *SMALL)
    process = forked.start("squeezed_bench", *run, cwd=tmp_path)
    error = interrupted(process, tmp_path)
    assert error.strip().endswith(
        "stopped; every answer that is recorded is kept, and the same command goes on from there"
    )
    (found,) = status.status(tmp_path / "results" / "runs")
    assert found.state == "stopped"
    assert found.answered > 0
    assert not list(tmp_path.rglob("attempt.json"))  # it was no death


def test_minutes_that_are_over_end_it_in_the_same_way(
    bench: Callable[..., Any], tmp_path: Path
) -> None:
    done = bench("method=full", *SMALL, "minutes=0.01")
    assert done.code == 130
    assert "Traceback" not in done.err
    assert "stopped after 0.01 minutes, as asked; every answer that is recorded is kept" in done.err
    assert not list(tmp_path.rglob("attempt.json"))


def terminate(pid: int) -> None:
    """SIGTERM to that process alone, as a batch system does it."""
    os.kill(pid, signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("send", [None, terminate], ids=["ctrl-c", "sigterm"])
def test_with_processes_of_its_own_too(
    tiny: Path, tmp_path: Path, send: Callable[[int], None] | None
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    sweep = ("-m", "hydra/launcher=processes", "hydra.launcher.n_jobs=2", "method=full,random")
    tasks = "task.subtask=niah_single_1,niah_multikey_1"
    model = (f"model.path={tiny}", "model.device=cpu")
    process = forked.start("squeezed_bench", *sweep, tasks, *model, *SMALL, cwd=tmp_path)
    error = interrupted(process, tmp_path, send)
    assert "stopped; every answer that is recorded is kept" in error
    before = sizes(tmp_path)
    time.sleep(2)
    assert sizes(tmp_path) == before  # no process of it works on
    assert not list(tmp_path.rglob("attempt.json"))
    for path in tmp_path.rglob("records.jsonl"):
        for line in path.read_text().splitlines():
            json.loads(line)


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in sorted(folder.rglob("records.jsonl"))]


def test_before_the_first_import_too(tmp_path: Path) -> None:
    """A real start of Python, with Ctrl-C on: who starts the tests may have turned it off for all below."""
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from bench.cli import main as cli; enter = cli.Entry.__call__; "
        "cli.Entry.__call__ = lambda *given: print('ready', flush=True) or enter(*given); "
        "sys.exit(cli.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "method=full", *SMALL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopped;" in error
    assert "Traceback" not in error
