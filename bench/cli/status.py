"""``squeezed-bench status``: which runs of a sweep are done, running, failed or missing.

What the states mean: ``bench.records.states``. Reads the folder of records and changes nothing, also while a
sweep runs.
"""

import csv
import io
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bench.cli.live import POLL, QUIET, Line
from bench.config.errors import InputError
from bench.config.plain import Plain, records_below, setting
from bench.records.manifest import Sweep
from bench.records.progress import CLOSED, Progress
from bench.records.states import OUTSIDE, STATES, State, groups, state_of, status


@dataclass(frozen=True)
class Settings:
    """Settings of the status command."""

    results: Path = setting(Path("results"), "folder of results; their records are below its runs")
    sweep: str | None = setting(
        None, "this sweep only; null: all, or with watch the last started one"
    )
    state: str | None = setting(None, "list the runs in this state only", STATES)
    all: bool = setting(False, "list the runs that are done as well")
    csv: bool = setting(False, "every run as a row of CSV")
    json: bool = setting(False, "all of it as JSON; with watch: numbers, a line for each change")
    watch: bool = setting(False, "one live line, until nothing is left to do, or Ctrl-C")
    every: float | None = setting(None, "seconds between two looks; null: 2, not on a terminal 60")
    check: bool = setting(False, "exit code 1 unless every run is done or skipped")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 told, 1 not all done (with check), 2 bad input."""
    return STATUS.main(arguments)


def _tell(settings: Settings) -> int:
    if settings.csv and (settings.json or settings.watch):
        raise InputError(
            "csv=true has no live form, and is no JSON; leave out csv, or json and watch"
        )
    if settings.every is not None and not settings.every > 0:
        raise InputError(f"every is {settings.every:g}; expected seconds above 0")
    runs = records_below(settings.results)
    if settings.watch:
        found = _watch(runs, settings)
    elif settings.json:
        told = groups(runs, settings.sweep)
        states = [[state_of(runs, sweep.name, run) for run in sweep.runs] for sweep in told]
        print(json.dumps(as_json(told, states), indent=1))
        found = [each for group in states for each in group]
    else:
        found = status(runs, settings.sweep)
        if settings.state is not None:
            shown = [each for each in found if each.state == settings.state]
        else:
            shown = [e for e in found if settings.all or settings.csv or e.state != "done"]
        print(as_csv(shown) if settings.csv else as_text(found, shown), end="")
    open_ones = [each for each in found if each.state not in CLOSED]
    return 1 if settings.check and open_ones else 0


def _watch(runs: Path, settings: Settings) -> list[State]:
    """Shows the numbers of one sweep until nothing is left to do; returns the last states."""
    sweeps = [each for each in groups(runs, settings.sweep) if each.runs]
    if not sweeps:
        raise InputError(f"no run yet in {runs}; start one first")
    named = [each for each in sweeps if each.name != OUTSIDE]
    sweep = (named or sweeps)[-1]
    live = sys.stdout.isatty() or settings.json
    pause = settings.every or (POLL if live else QUIET)
    last = None
    with Line(sys.stdout) as line:
        while True:
            found = [state_of(runs, sweep.name, run) for run in sweep.runs]
            progress = Progress.of(found)
            counts = (progress.states, progress.answered)
            if not settings.json:
                line.show(f"{_title(sweep.name)}: {progress.line()}")
            elif counts != last:
                print(json.dumps({"sweep": sweep.name, **progress.fields()}), flush=True)
            last = counts
            if progress.over:
                return found
            time.sleep(pause)


def as_text(found: Sequence[State], shown: Sequence[State]) -> str:
    """A line of numbers for each sweep, and below it the runs to show."""
    if not found:
        return "no run yet\n"
    lines = []
    for sweep in dict.fromkeys(each.sweep for each in found):
        progress = Progress.of([each for each in found if each.sweep == sweep])
        lines.append(f"{_title(sweep)}: {progress.line()}")
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


def as_json(sweeps: Sequence[Sweep], states: Sequence[Sequence[State]]) -> dict[str, Any]:
    """For other programs: the numbers of each sweep, and its runs."""
    told = []
    for sweep, found in zip(sweeps, states, strict=True):
        about = {"sweep": sweep.name, "started": sweep.started, "command": sweep.command}
        rows = [asdict(each) for each in found]
        for row in rows:
            del row["sweep"]
        told.append(about | {"progress": Progress.of(found).fields(), "runs": rows})
    return {"sweeps": told}


def _title(sweep: str) -> str:
    return sweep if sweep == OUTSIDE else f"sweep {sweep}"


STATUS = Plain(
    "status",
    "bench.status",
    Settings,
    _tell,
    """Tells which runs of each sweep are done, running, failed, skipped, stopped or missing. Reads the folder
of records and changes nothing, also while a sweep runs. Stopped, failed and missing runs are taken up by
the command that began them, started again.
Exit codes: 0 told, 1 not all done (with check=true), 2 bad input.""",
    ("results=results", "state=failed", "watch=true", "json=true", "csv=true check=true"),
)
