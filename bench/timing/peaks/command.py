"""``squeezed-bench memory``: settings are checked before anything heavy is imported."""

import sys
from collections.abc import Sequence

from bench.config.errors import InputError
from bench.config.plain import Plain
from bench.timing.asked import check_model
from bench.timing.peaks.settings import STACK, Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 it could not be measured, 2 bad input."""
    return MEMORY.main(arguments)


def _measure(settings: Settings) -> None:
    _check(settings)
    from bench.timing.peaks import run  # late: it imports torch

    run.run(settings)


def _check(settings: Settings) -> None:
    if not sys.platform.startswith("linux"):
        raise InputError("a process's peak is read from /proc, which this system does not have")
    if not settings.lengths or min(settings.lengths) < 256:
        raise InputError(f"lengths is {settings.lengths}; expected numbers of at least 256")
    for name in ("layers", "threads"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} is {getattr(settings, name)}; expected at least 1")
    if settings.model != STACK:
        check_model(settings.model, settings.path, settings.dtype)


MEMORY = Plain(
    "memory",
    "bench.timing.peaks",
    Settings,
    _measure,
    """How much memory a context takes while it is prepared, beside its keys and values, and how much of the
disk its index takes: RESULTS/timing/memory.csv. Each length in a process of its own, whose peak the system
tells. The same command goes on where it was stopped.
Exit codes: 0 done, 1 it could not be measured, 2 bad input.""",
    ("model=gemma3_270m lengths=8192,32768 threads=2", "model=stack layers=4 lengths=4096"),
    kept="what is measured is in the table",
)
