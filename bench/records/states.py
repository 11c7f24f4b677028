"""What state each run of a sweep is in, told from its folder, which is not changed.

States: done; running, a process has it; failed, it could not be done, with the reason; skipped, its size
cannot be met; stopped, begun and not finished; missing, not begun. The same command takes stopped, failed and
missing runs up again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.config.errors import InputError, RunError
from bench.records import manifest
from bench.records.files import (
    ATTEMPT,
    CONFIG,
    DIAGNOSTICS,
    FAILED,
    RECORDS,
    SKIPPED,
    SUMMARY,
    count_records,
    in_use,
    read_json,
)
from bench.records.manifest import Planned, Sweep
from rows.keys import meant

STATES = ("done", "running", "failed", "skipped", "stopped", "missing")
OUTSIDE = "outside any sweep"


@dataclass(frozen=True)
class State:
    """One run.

    Attributes:
        answered: of ``expected`` questions, None if only the data tell. note: why, or who.
        seconds: a question took in the run's last start, the loading of its model included; None: not known.
    """

    sweep: str
    state: str
    answered: int
    expected: int | None
    title: str
    note: str
    folder: str
    seconds: float | None = None


def status(runs: Path, name: str | None = None) -> list[State]:
    """The state of every run of the sweeps below a folder of records, and of runs outside any sweep.

    Args:
        name: of one sweep; None: of all.

    Raises:
        InputError: no such sweep.
    """
    return [state_of(runs, sweep.name, run) for sweep in groups(runs, name) for run in sweep.runs]


def groups(runs: Path, name: str | None = None) -> list[Sweep]:
    """The sweeps below a folder of records, the last started one last; then what is outside any sweep.

    Args:
        name: only of this one; None: all.

    Raises:
        InputError: no such sweep.
    """
    known = manifest.sweeps(runs)
    if name is None:
        inside = {run.folder for sweep in known for run in sweep.runs}
        others = [run for run in _all(runs) if run.folder not in inside]
        return [*known, *([Sweep(OUTSIDE, "", "", tuple(others))] if others else [])]
    chosen = [each for each in known if each.name == name]
    if not chosen:
        names = [each.name for each in known]
        there = ", ".join(names) or "none"
        raise InputError(f"no sweep {name} in {runs}{meant(name, names)}; there are: {there}")
    return chosen


def state_of(runs: Path, sweep: str, run: Planned) -> State:
    """The state of one run.

    Args:
        runs: the folder of records. sweep: the name of the run's sweep.
    """
    folder = runs / run.folder
    seconds = None
    try:
        answered = count_records(folder / RECORDS) if (folder / RECORDS).exists() else 0
        state, note, seconds = _kind(folder, answered)
    except RunError as error:
        answered, state, note = 0, "stopped", str(error)
    return State(sweep, state, answered, run.expected, run.title, note, run.folder, seconds)


def _kind(folder: Path, answered: int) -> tuple[str, str, float | None]:
    """The state of a run, what there is to say of it, and the seconds that a question took."""
    mark = read_json(folder / ATTEMPT)
    if mark is not None and in_use(folder):
        note = f"since {mark.get('since')} on {mark.get('host')}, process {mark.get('pid')}"
        return "running", note, _so_far(mark, answered)
    summary, failed = read_json(folder / SUMMARY), read_json(folder / FAILED)
    if answered and summary is not None and summary.get("examples") == answered:
        return "done", "", seconds_each(summary)
    if failed is not None:
        return "failed", str(failed.get("reason")), None
    skipped = read_json(folder / SKIPPED)
    if skipped is not None and not answered:
        return "skipped", str(skipped.get("reason")), None
    if mark is not None:
        return "stopped", f"its process was killed; it began {mark.get('since')}", None
    return ("stopped" if (folder / CONFIG).exists() else "missing"), "", None


def seconds_each(summary: dict[str, Any]) -> float | None:
    """Seconds that a question took, by the summary of a run; None if none was answered in its last start.

    None, too, for a summary that does not say: one of an older version, or made by hand.
    """
    try:
        new = int(summary["examples"]) - int(summary.get("before", 0))
        spent = float(summary["seconds"])
    except (KeyError, TypeError, ValueError):
        return None
    return None if new <= 0 else round(spent / new, 3)


def _so_far(mark: dict[str, Any], answered: int) -> float | None:
    """By the clock of this machine, which may differ from that of the node that runs it."""
    try:
        began, new = datetime.fromisoformat(str(mark["since"])), answered - int(mark["records"])
        spent = (datetime.now(UTC) - began).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None
    return None if new <= 0 or spent <= 0 else round(spent / new, 3)


def _only_looked_at(folder: Path) -> bool:
    """Whether a folder is of ``squeezed-bench skew`` alone, and nobody has begun its run."""
    begun = (RECORDS, ATTEMPT, FAILED, SKIPPED)
    return (folder / DIAGNOSTICS).exists() and not any((folder / name).exists() for name in begun)


def _all(runs: Path) -> Sequence[Planned]:
    """Every run below the folder, as far as its own files tell."""
    found = []
    for path in sorted(runs.glob(f"*/*/*/{CONFIG}")):
        if _only_looked_at(path.parent):
            continue
        folder = str(path.parent.relative_to(runs))
        found.append(Planned(folder, folder, None))
    return found
