"""Commands in processes of their own that start at once: forked from one that has imported what they import.

``python -m bench`` imports for six seconds of a core before its first line. A test that needs a process to
kill, to interrupt or to run beside another gets it here: its own memory, folder, environment, output and
exit code. A test of the start itself (what is imported, an entry point, what is read from the environment
while Python or a library starts) takes ``subprocess``.

The fork server is ``multiprocessing``'s: it starts with the first process that a worker of pytest asks for,
and ends with that worker.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "bench.launch.groups",  # first: it imports the largest libraries fastest
        "bench.launch.start",
        "bench.cli.recommend",
        "bench.cli.validate",
        "bench.timing.kernels.run",
        "openai",
        "pandas",
        "squeezed.check",
        "tests.injuries.sweeps",
        "transformers.models.llama.modeling_llama",
    ]
)


@dataclass(frozen=True)
class Done:
    """How a process ended; minus the signal's number in ``returncode`` if one ended it."""

    returncode: int
    stdout: str
    stderr: str


class Process:
    """A command that runs, with what ``subprocess.Popen`` calls alike: ``pid``, ``poll``, ``wait``."""

    def __init__(self, module: str, arguments: Sequence[str], cwd: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        place = Path(self._folder.name)
        self._output = place / "stdout", place / "stderr"
        self._process = PROCESSES.Process(
            target=_become, args=(module, [*arguments], cwd, {**os.environ}, self._output)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        while self.poll() is None and not self._output[1].exists():
            time.sleep(0.001)  # until then it is in the server's group, and Ctrl-C would miss it

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def kill(self) -> int:
        """Ends it and all that it started with SIGKILL; returns its exit code."""
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait(60).returncode

    def wait(self, timeout: float) -> Done:
        """Waits for its end, at most some seconds."""
        self._process.join(timeout)
        code = self.poll()
        assert code is not None, f"it still runs after {timeout} s"
        return Done(code, *(path.read_text() if path.exists() else "" for path in self._output))


def start(module: str, *arguments: str, cwd: Path | None = None) -> Process:
    """Starts ``python -m module`` in a session of its own, so that a test may signal its whole group."""
    return Process(module, arguments, cwd or Path.cwd())


def run(module: str, *arguments: str, cwd: Path | None = None) -> Done:
    """``python -m module`` until it ends."""
    return start(module, *arguments, cwd=cwd).wait(600)


def _become(
    module: str,
    arguments: list[str],
    cwd: Path,
    environment: dict[str, str],
    output: tuple[Path, Path],
) -> None:
    """In the new process: what a shell does before it starts a command, and then that command."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # Whoever starts the tests in the background may have turned Ctrl-C off for all below.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)  # as by OMP_NUM_THREADS=1, which is read when torch starts
    for stream, path in zip((sys.stdout, sys.stderr), output, strict=True):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
