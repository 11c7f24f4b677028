"""The threads of the ``cpu`` backend: those of torch itself.

A compiled loop runs on the OpenMP threads that have just run a layer's matrix products: they are awake, so a
step waits 10 us for them, not the 200 that waking Python's takes, and they do not compete with threads of our
own. Where torch brings no OpenMP, and in a forked process, which those threads do not survive, plain Python
threads take their place.
"""

import ctypes
import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch

# Below this many multiply-adds a second thread costs more to wake (10 us, or 100 if it sleeps) than it saves.
# Where memory sets the pace there are about 3 of them a nanosecond, so this many take 170 us.
WORTH_A_THREAD = 1 << 19

_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)


class Team(NamedTuple):
    """Who works on a step, in numbers that compiled code can take.

    Attributes:
        run: address of ``void run(void (*task)(void *), void *data, unsigned threads, unsigned flags)``,
            which calls the task on that many threads at once and waits for them.
        task: address of ``void task(void *data)``.
        threads: how many there are. worth: multiply-adds for which another one is called.
    """

    run: int
    task: int
    threads: int
    worth: int


def team(task: int) -> Team:
    """torch's number of threads, for a task."""
    return Team(_runner(os.getpid()), task, torch.get_num_threads(), WORTH_A_THREAD)


FIRST_PROCESS = os.getpid()


@functools.cache
def _runner(process: int) -> int:
    """Address of a ``Team.run`` for this process."""
    run = _openmp() if process == FIRST_PROCESS else None
    address = ctypes.cast(run or _python_run, ctypes.c_void_p).value
    assert address is not None
    return address


def _openmp() -> Any:
    """``GOMP_parallel`` of the library that torch is linked with (LLVM's and Intel's have it too), if any."""
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    prefix = "" if sys.platform == "win32" else "lib"
    try:
        library = ctypes.CDLL(
            str(Path(torch.__file__).parent / "lib" / f"{prefix}torch_cpu.{suffix}")
        )
        return library.GOMP_parallel
    except (OSError, AttributeError):  # torch was built with other threads
        return None


def _run(task: int, data: int, threads: int, flags: int) -> None:
    """What OpenMP's function does, by Python threads."""
    call = _TASK(task)  # releases Python's lock
    others = [_pool(os.getpid()).submit(call, data) for _ in range(threads - 1)]
    call(data)
    for other in others:
        other.result()


_python_run = _RUN(_run)


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The pool of this process: threads do not survive a fork."""
    return ThreadPoolExecutor(thread_name_prefix="squeezed")
