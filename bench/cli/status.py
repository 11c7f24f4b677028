"""``squeezed-bench status``: which runs of a sweep are done, running, failed or missing.

Reads the folder of records and changes nothing, also while a sweep runs. States: done; running, a process
has it; failed, it could not be done, with the reason; skipped, its size cannot be met; stopped, begun and not
finished; missing, not begun. Stopped, failed and missing runs are taken up by the same command again.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bench.config.errors import InputError, RunError
from bench.config.plain import Plain, records_below, setting
from bench.config.words import counted
from bench.records import manifest
from bench.records.files import (
    ATTEMPT,
    CONFIG,
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
    """One run. ``answered``: of ``expected`` questions, None if only the data tell. ``note``: why, or who."""

    sweep: str
    state: str
    answered: int
    expected: int | None
    title: str
    note: str
    folder: str


@dataclass(frozen=True)
class Settings:
    """Settings of the status command."""

    results: Path = setting(Path("results"), "folder of results; their records are below its runs")
    sweep: str | None = setting(None, "this sweep only; null: all")
    state: str | None = setting(None, "list the runs in this state only", STATES)
    all: bool = setting(False, "list the runs that are done as well")
    csv: bool = setting(False, "every run as a row of CSV")
    check: bool = setting(False, "exit code 1 unless every run is done or skipped")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 told, 1 not all done (with check), 2 bad input."""
    return STATUS.main(arguments)


def _tell(settings: Settings) -> int:
    found = status(records_below(settings.results), settings.sweep)
    if settings.state is not None:
        shown = [each for each in found if each.state == settings.state]
    else:
        shown = [each for each in found if settings.all or settings.csv or each.state != "done"]
    print(as_csv(shown) if settings.csv else as_text(found, shown), end="")
    open_ones = [each for each in found if each.state not in ("done", "skipped")]
    return 1 if settings.check and open_ones else 0


def status(runs: Path, name: str | None = None) -> list[State]:
    """The state of every run of the sweeps below a folder of records, and of runs outside any sweep.

    Args:
        name: of one sweep; None: of all.

    Raises:
        InputError: no such sweep.
    """
    known = manifest.sweeps(runs)
    if name is not None:
        chosen = [each for each in known if each.name == name]
        if not chosen:
            names = ", ".join(each.name for each in known) or "none"
            raise InputError(
                f"no sweep {name} in {runs}{meant(name, [each.name for each in known])}; there are: {names}"
            )
        return [_state(runs, name, run) for run in chosen[0].runs]
    inside = {run.folder for sweep in known for run in sweep.runs}
    others = [run for run in _all(runs) if run.folder not in inside]
    groups = [*known, Sweep(OUTSIDE, "", "", tuple(others))]
    return [_state(runs, sweep.name, run) for sweep in groups for run in sweep.runs]


def as_text(found: Sequence[State], shown: Sequence[State]) -> str:
    """A line of numbers for each sweep, and below it the runs to show."""
    if not found:
        return "no run yet\n"
    lines = []
    for sweep in dict.fromkeys(each.sweep for each in found):
        states = Counter(each.state for each in found if each.sweep == sweep)
        counts = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
        title = sweep if sweep == OUTSIDE else f"sweep {sweep}"
        lines.append(f"{title}: {counted(states.total(), 'run')}: {counts}")
        for each in shown:
            if each.sweep == sweep:
                answered = f"{each.answered} of {each.expected or '?'}"
                lines.append(
                    f"  {each.state:<8} {answered:>12}  {each.title}  {each.note}".rstrip()
                )
    return "\n".join(lines) + "\n"


def as_csv(shown: Sequence[State]) -> str:
    """The runs as CSV with a header; text that a spreadsheet would run gets an apostrophe in front."""
    from bench.reporting.output import unlike_formula  # late: pandas takes a second to load

    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(State)], lineterminator="\n")
    writer.writeheader()
    for each in shown:
        writer.writerow({name: unlike_formula(cell) for name, cell in asdict(each).items()})
    return text.getvalue()


def _state(runs: Path, sweep: str, run: Planned) -> State:
    folder = runs / run.folder
    try:
        answered = count_records(folder / RECORDS) if (folder / RECORDS).exists() else 0
        state, note = _kind(folder, answered)
    except RunError as error:
        answered, state, note = 0, "stopped", str(error)
    return State(sweep, state, answered, run.expected, run.title, note, run.folder)


def _kind(folder: Path, answered: int) -> tuple[str, str]:
    """The state of a run and what there is to say of it."""
    mark = read_json(folder / ATTEMPT)
    if mark is not None and in_use(folder):
        return (
            "running",
            f"since {mark.get('since')} on {mark.get('host')}, process {mark.get('pid')}",
        )
    summary, failed = read_json(folder / SUMMARY), read_json(folder / FAILED)
    if answered and summary is not None and summary.get("examples") == answered:
        return "done", ""
    if failed is not None:
        return "failed", str(failed.get("reason"))
    skipped = read_json(folder / SKIPPED)
    if skipped is not None and not answered:
        return "skipped", str(skipped.get("reason"))
    if mark is not None:
        return "stopped", f"its process was killed; it began {mark.get('since')}"
    return ("stopped", "") if (folder / CONFIG).exists() else ("missing", "")


def _all(runs: Path) -> list[Planned]:
    """Every run below the folder, as far as its own files tell."""
    found = []
    for path in sorted(runs.glob(f"*/*/*/{CONFIG}")):
        folder = str(path.parent.relative_to(runs))
        found.append(Planned(folder, folder, None))
    return found


STATUS = Plain(
    "status",
    "bench.status",
    Settings,
    _tell,
    """Tells which runs of each sweep are done, running, failed, skipped, stopped or missing. Reads the folder
of records and changes nothing, also while a sweep runs. Stopped, failed and missing runs are taken up by
the command that began them, started again.
Exit codes: 0 told, 1 not all done (with check=true), 2 bad input.""",
    ("results=results", "state=failed", "csv=true check=true"),
)
