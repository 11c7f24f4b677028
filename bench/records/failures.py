"""Runs that fail: the row that says why, and the mark that a killed process leaves behind.

A process that is killed (kill -9, the kernel's out-of-memory killer, a lost node) can write nothing.
So every attempt leaves a mark first and removes it in the end; a mark that is still there tells the next
attempt of the death. A run that dies again and again before its next record would hold up a sweep for
ever; after ``DEATHS`` of them it is recorded as failed, and the sweep goes on to the next run.
"""

import contextlib
import gc
import os
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import torch

from bench.config.errors import FailedError
from bench.records import provenance
from bench.records.files import ATTEMPT, FAILED, LOCK, now, read_json, write_json
from rows.redact import redact

DEATHS = 3
LINES = 30  # of a traceback


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the host, has no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()  # torch's allocator on the host raises a plain RuntimeError
    return "out of memory" in text or "can't allocate memory" in text


def device_lost(error: BaseException) -> bool:
    """Whether the process can do nothing more on its GPU: CUDA's errors other than memory stay."""
    return "CUDA error" in str(error) and not out_of_memory(error)


def record_failure(folder: Path, error: BaseException, done: int) -> FailedError:
    """Writes ``failed.json`` into a run's folder.

    Args:
        done: records that the run has.

    Returns:
        The error to raise; its message is one line.
    """
    kind = "out of memory" if out_of_memory(error) else type(error).__name__
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    reason = redact(first if kind == type(error).__name__ == "FailedError" else f"{kind}: {first}")
    row = {
        "kind": kind,
        "reason": reason,
        "records": done,
        "commit": provenance.commit(),
        "time": now(),
        "traceback": redact("".join(traceback.format_exception(error)).splitlines()[-LINES:]),
    }
    with contextlib.suppress(OSError):  # a full disk; the message still tells
        write_json(folder / FAILED, row)
    return FailedError(reason)


def failed_before(folder: Path) -> bool:
    """Whether the last attempt at the run in this folder failed."""
    return (folder / FAILED).exists()


@contextmanager
def attempt(folder: Path, done: int) -> Iterator[None]:
    """Marks the folder while a process works on its run; call it with the run's lock held.

    Raises:
        FailedError: earlier attempts died too often with the same number of records.
        OSError: the mark cannot be written.
    """
    mark = folder / ATTEMPT
    deaths = _deaths(read_json(mark), done)
    if deaths >= DEATHS:
        mark.unlink()
        raise record_failure(
            folder,
            FailedError(
                f"its process was killed {deaths} times in a row before record {done + 1}; the usual "
                "cause is memory. It is left out this time, and tried again by the next start"
            ),
            done,
        )
    write_json(
        mark,
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": now(),
            "records": done,
            "deaths": deaths,
        },
    )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()


def forget_attempt(folder: Path) -> None:
    """Takes away the mark of a process that was ended on purpose, if no other one works on the run."""
    with (
        contextlib.suppress(OSError, filelock.Timeout),
        filelock.FileLock(folder / LOCK, timeout=1),
    ):
        (folder / ATTEMPT).unlink(missing_ok=True)


def release_memory() -> None:
    """Gives back what a failed run held, so that the next one has it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _deaths(mark: dict[str, Any] | None, done: int) -> int:
    """Attempts in a row that died without a new record, the one that left this mark included."""
    if mark is None or mark.get("records") != done:
        return 0
    before = mark.get("deaths")
    return (before if isinstance(before, int) else 0) + 1
