"""The measurement: what the table does not have yet, shape by shape, and the figures."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Idle OpenMP threads that spin would be measured with whatever runs after torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from bench.config.errors import fail
from bench.timing.kernels import clustering_time, model
from bench.timing.kernels.gate import WrongResultError
from bench.timing.kernels.machine import describe
from bench.timing.kernels.measure import key, measure
from bench.timing.kernels.problem import Problem, make
from bench.timing.kernels.settings import (
    FRACTION,
    Settings,
    Shape,
    check,
    device_of,
    shapes,
)
from bench.timing.kernels.table import Row, Table


def run(settings: Settings) -> None:
    """Measures what the table does not have yet, and draws the figures.

    Raises:
        ValueError: a bad setting. WrongResultError: our kernel is wrong. OSError: nothing can be written.
    """
    device = device_of(settings)
    plan = planned(settings, device)
    folder = settings.out
    table = Table(folder / f"{device.type}.csv")
    folder.mkdir(parents=True, exist_ok=True)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    started = time.monotonic()
    machine = describe(device, getattr(torch, next(iter(plan)).dtype))
    say(
        f"{machine.name}, {machine.threads} threads: copy {machine.copy / 1e9:.1f} GB/s, "
        f"product {machine.product / 1e9:.0f} GFLOP/s"
    )
    for number, (shape, problem) in enumerate(plan.items(), start=1):
        head = f"[{number}/{len(plan)}] {shape.title}"
        if not settings.fresh and table.has(key(shape, machine)):
            say(f"{head}: is in the table")
            continue
        if settings.minutes and time.monotonic() - started > 60 * settings.minutes:
            say(f"{head}: not begun, the {settings.minutes:g} minutes are over")
            break
        say(head)
        with torch.inference_mode():
            rows = measure(problem(), settings.seconds, machine, say)
        table.replace(rows)
        for row in rows:
            say(
                f"  {row['provider']:<12} {row['median_ms']:9.3f} ms  {row['gb_per_s']:8.1f} GB/s  "
                f"{row['vs_fastest_dense']:6.2f}x the fastest dense"
            )
    if not settings.source:  # both are of random keys and a random model
        extras(settings, device, machine, folder)
    if table.rows:
        draw(table.rows, folder, device)
    say(f"table: {table.path}")


def planned(settings: Settings, device: torch.device) -> dict[Shape, Callable[[], Problem]]:
    """What is to be measured, in order, and what makes each problem when its turn comes.

    Raises:
        ValueError: a bad setting, or an index that cannot be timed. OSError: there is no such index.
    """
    if settings.source:
        check(settings)
        from bench.timing.kernels import stored  # late: it needs the engine and transformers

        return stored.planned(settings, device)
    fraction = settings.fraction or FRACTION
    return {shape: partial(make, shape, fraction, device) for shape in shapes(settings)}


def draw(rows: list[Row], folder: Path, device: torch.device) -> None:
    """The figures, where their libraries are: a GPU machine may have torch and nothing else."""
    try:
        from bench.reporting.figures import kernels as figures
    except ModuleNotFoundError as error:
        say(f"no figures: {error.name} is not installed")
        return
    figures.write(rows, folder, device.type)


def extras(settings: Settings, device: torch.device, machine, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Clustering and the whole model, each into a table of its own."""
    whole = settings.model if settings.model is not None else device.type == "cuda"
    for wanted, name, module in (
        (settings.clustering, "clustering", clustering_time),
        (whole, "model", model),
    ):
        table = Table(folder / f"{device.type}_{name}.csv", module.FIELDS, module.KEYS)
        here = {"device": machine.name, "threads": str(machine.threads)}
        done = any(all(row[k] == v for k, v in here.items()) for row in table.rows)
        if wanted and (settings.fresh or not done):
            say(name)
            if rows := module.measure(device, machine, say):
                table.replace(rows)


def say(line: str) -> None:
    """One line of progress, at once."""
    print(line, flush=True)


def guarded(settings: Settings) -> int:
    """Runs; an error becomes one line, and an exit code: 1 a kernel was wrong or a file could not be
    written, 2 bad input."""
    try:
        run(settings)
    except (ValueError, FileNotFoundError) as error:
        return fail(2, str(error))
    except (WrongResultError, OSError) as error:
        return fail(1, str(error))
    return 0
