"""A configuration that fails leaves a row that says why, and the sweep goes on."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import squeezed
from bench.cli import status
from bench.config.errors import FailedError
from bench.records.failures import DEATHS, attempt, device_lost, out_of_memory
from bench.records.files import read_json

Bench = Callable[..., Any]
SWEEP = ("-m", "method=full,random,streaming", "task.samples=1")


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method runs out of memory."""
    generate = squeezed.generate

    def fail(*args: Any, method: Any, **kwargs: Any) -> Any:
        if isinstance(method, squeezed.Random):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")
        return generate(*args, method=method, **kwargs)

    monkeypatch.setattr(squeezed, "generate", fail)


@pytest.mark.usefixtures("no_memory")
def test_out_of_memory_is_a_failed_row_and_the_sweep_goes_on(bench: Bench, tmp_path: Path) -> None:
    result = bench(*SWEEP)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "1 of 3 runs are not done" in result.err
    found = {each.title.split()[1]: each for each in status.status(tmp_path / "results" / "runs")}
    assert found["full"].state == "done"
    assert found["streaming-sparsity0.9"].state == "done"
    failed = found["random-sparsity0.9"]
    assert failed.state == "failed"
    assert failed.note == "out of memory: CUDA out of memory. Tried to allocate 9.00 GiB"
    row = read_json(tmp_path / "results" / "runs" / failed.folder / "failed.json")
    assert row is not None
    assert row["kind"] == "out of memory"
    assert row["records"] == 0
    assert any("OutOfMemoryError" in line for line in row["traceback"])


def test_a_failed_run_is_tried_again_and_after_the_others(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        generate = squeezed.generate
        patched.setattr(
            squeezed,
            "generate",
            lambda *a, method, **k: (
                1 / 0 if isinstance(method, squeezed.Full) else generate(*a, method=method, **k)
            ),
        )
        result = bench(*SWEEP)
    assert result.code == 1
    assert "ZeroDivisionError" in result.err
    result = bench(*SWEEP)
    assert result.code == 0
    lines = [line for line in result.out.splitlines() if line.startswith("[")]
    assert lines[-1].split()[2] == "full"
    assert not list(tmp_path.rglob("failed.json"))


@pytest.mark.usefixtures("no_memory")
def test_a_single_run_that_fails_is_one_line(bench: Bench) -> None:
    result = bench("method=random", "task.samples=1")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "out of memory" in result.err


@pytest.mark.parametrize(
    ("error", "memory", "lost"),
    [
        (MemoryError(), True, False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (RuntimeError("CUDA error: device-side assert triggered"), False, True),
        (RuntimeError("shapes do not fit"), False, False),
    ],
)
def test_kinds_of_errors(error: BaseException, memory: bool, lost: bool) -> None:
    assert (out_of_memory(error), device_lost(error)) == (memory, lost)


def _die(folder: Path, done: int) -> None:
    with attempt(folder, done):
        os.kill(os.getpid(), signal.SIGKILL)


def die(folder: Path, done: int) -> None:
    job = multiprocessing.get_context("fork").Process(target=_die, args=(folder, done))
    job.start()
    job.join(30)
    assert job.exitcode == -signal.SIGKILL


def test_a_run_whose_process_dies_again_and_again_is_left_out_once(tmp_path: Path) -> None:
    for _ in range(DEATHS):
        die(tmp_path, 5)
    with (
        pytest.raises(FailedError, match=f"killed {DEATHS} times in a row before record 6"),
        attempt(tmp_path, 5),
    ):
        pytest.fail("it was tried again at once")
    assert json.loads((tmp_path / "failed.json").read_text())["kind"] == "FailedError"
    with attempt(tmp_path, 5):  # the next start tries again
        pass


def test_deaths_with_progress_between_them_do_not_count(tmp_path: Path) -> None:
    for done in range(2 * DEATHS):
        die(tmp_path, done)
    with attempt(tmp_path, 2 * DEATHS):
        assert (tmp_path / "attempt.json").exists()
    assert not (tmp_path / "attempt.json").exists()
