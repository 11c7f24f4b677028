"""Times the report and the status command on many runs, made from the committed studies.

``python -m bench.timing.many_runs``. The runs are the real ones of ``results/reference``, and copies of them
under other seeds until there are enough; nothing is asked of a model.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.config.errors import InputError, RunError
from bench.config.plain import Plain, setting
from bench.config.spec import digest
from bench.records.files import CHECK, CONFIG, RECORDS, SUMMARY, checksum, write_json

RUN, IDENTITY = "run", "identity"
SEED_STEP = 1000  # between a run and its copy; no study has seeds so far apart
COMMANDS = ("bench.report", "bench.status")


@dataclass(frozen=True)
class Settings:
    """Settings of the command."""

    runs: int = setting(760, "how many")
    times: int = setting(3, "how often each command is run; the first report writes all files anew")
    reference: Path = setting(Path("results/reference"), "folder of the committed studies")
    results: Path | None = setting(None, "folder to make the runs in; null: one that is removed")


@dataclass(frozen=True)
class Taken:
    """What one command took, start-up included. ``seconds`` on the clock, ``cpu`` of the processor."""

    command: str
    seconds: float
    cpu: float


def make(count: int, reference: Path, runs: Path) -> int:
    """Writes that many finished runs below ``runs``; returns how many records they hold.

    Raises:
        InputError: there is no study with runs in ``reference``.
    """
    written = 0
    for folder, identity, records in tqdm(
        _several(_runs(reference), count), "runs", total=count, leave=False
    ):
        place = runs / folder
        place.mkdir(parents=True)
        write_json(place / CONFIG, {"identity": identity})
        lines = [
            json.dumps({**each, CHECK: checksum(each)}, ensure_ascii=False) for each in records
        ]
        (place / RECORDS).write_text("\n".join(lines) + "\n", encoding="utf-8")
        write_json(place / SUMMARY, {"examples": len(records)})
        written += len(records)
    return written


def take(module: str, results: Path) -> Taken:
    """Runs ``python -m MODULE results=RESULTS``.

    Raises:
        RunError: it fails.
    """
    before, start = _cpu(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, f"results={results}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seconds, cpu = time.perf_counter() - start, _cpu() - before
    if done.returncode:
        raise RunError(f"{module} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return Taken(module, seconds, cpu)


def _runs(reference: Path) -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Folder, identity and records of every run of the studies, each folder once."""
    from bench.reporting.reference.packed import read_rows  # late: with pandas

    found: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {}
    for path in sorted(reference.glob("*/records.parquet")):
        here: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {}
        for row in read_rows(path):
            if RUN not in row:  # timings
                break
            folder, identity = row.pop(RUN), row.pop(IDENTITY)
            here.setdefault(folder, (folder, json.loads(identity), []))[2].append(row)
        found = here | found
    if not found:
        raise InputError(f"no study with runs in {reference}")
    return list(found.values())


def _several(
    real: list[tuple[str, dict[str, Any], list[dict[str, Any]]]], count: int
) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """The first ``count`` of the runs, then of their copies under other seeds."""
    for number in range(count):
        copy, place = divmod(number, len(real))
        folder, identity, records = real[place]
        if copy:
            identity = deepcopy(identity)
            identity["task"]["seed"] = (identity["task"]["seed"] or 0) + SEED_STEP * copy
            folder = f"{folder.rpartition('-')[0]}-{digest(identity)[:8]}"
        yield folder, identity, records


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _time(settings: Settings) -> None:
    for name in ("runs", "times"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} is {getattr(settings, name)}; expected at least 1")
    if settings.results is not None and (settings.results / "runs").exists():
        raise InputError(f"{settings.results / 'runs'} is there already; give another folder")
    with tempfile.TemporaryDirectory() as own:
        results = settings.results or Path(own)
        records = make(settings.runs, settings.reference, results / "runs")
        print(f"{settings.runs} runs, {records} records, {os.cpu_count()} cores")
        for number in range(settings.times):
            for module in COMMANDS:
                taken = take(module, results)
                print(
                    f"{number + 1}. {module:<13} {taken.seconds:7.2f} s, {taken.cpu:7.2f} s of CPU",
                    flush=True,
                )


TIMES = Plain(
    "times of report and status",
    "bench.timing.many_runs",
    Settings,
    _time,
    """Times the report and the status command on many runs, made from the committed studies and copies of
them. Exit codes: 0 done, 1 a command failed, 2 bad input.""",
)

if __name__ == "__main__":
    sys.exit(TIMES.main())
