"""Kernels that are compiled once on a machine: said before it is done, and done in a process of its own.

Code that a process has just compiled rounds otherwise than the same code read from disk: there, functions
compiled alone are called, here they were optimised inside their callers (Numba 0.68). So a run reads
from the disk always, and its records do not depend on whether it was the first on its machine.
"""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterable

from bench.config.spec import RunSpec


def compiled(specs: Iterable[RunSpec]) -> None:
    """Sees to it that what the runs' backends keep on disk is there; says so where it has to be compiled."""
    for backend, dtype in dict.fromkeys((spec.backend, spec.model.dtype) for spec in specs):
        _compiled(backend, dtype)


@functools.cache
def _compiled(backend: str, dtype: str) -> None:
    try:
        _compile(backend, dtype, _stop)
    except _NotKeptError:
        # A failure there is no reason to stop: what is still missing is compiled here, at its first use.
        command = [sys.executable, "-m", "bench.runs.compiled", backend, dtype]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL)


class _NotKeptError(Exception):
    """Something has to be compiled first."""


def _stop(name: str, number: int, total: int) -> None:
    raise _NotKeptError(name)


def _compile(backend: str, dtype: str, tell: Callable[[str, int, int], None]) -> None:
    import squeezed_kernels
    import torch

    squeezed_kernels.compile_all(backend, getattr(torch, dtype), tell)


def main() -> None:
    """Compiles for the backend and data type on the command line, with a line on stderr for each part."""
    backend, dtype = sys.argv[1:]

    def tell(name: str, number: int, total: int) -> None:
        if number == 1:
            text = f"compiling the {backend} kernels for {dtype}, once on this machine (about a minute)"
            print(text, file=sys.stderr, flush=True)
        print(f"  {number} of {total}: {name}", file=sys.stderr, flush=True)

    _compile(backend, dtype, tell)


if __name__ == "__main__":
    main()
