"""A list of runs as a whole: what it will take, and what it came to."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from bench.config.spec import RunSpec
from bench.config.words import counted, in_words
from bench.models.sizes import obstacle
from bench.records.files import CONFIG, RECORDS, SKIPPED, SUMMARY, read_json, read_records
from bench.records.states import seconds_each
from bench.records.stored import read_identity
from bench.reporting.output import as_markdown
from bench.reporting.variants import METHOD, asked, variant
from bench.runs.questions import first_length
from bench.runs.run import Outcome, finished


@dataclass(frozen=True)
class Job:
    """One run of the list.

    Attributes:
        done: questions answered. total: of so many; None if only the data tell.
        skipped: why an earlier attempt left it out; empty if none did.
        impossible: why its size cannot be met; empty if it can, as far as that is known now.
        seconds: that the rest takes, as far as earlier runs tell; None if they do not.
    """

    spec: RunSpec
    done: int
    total: int | None
    finished: bool
    skipped: str
    impossible: str
    seconds: float | None

    def line(self) -> str:
        """One line for the terminal."""
        if self.finished:
            state = "finished"
        elif self.skipped:
            state = f"skipped before: {self.skipped}"
        elif self.impossible:
            state = f"left out: {self.impossible}"
        else:
            state = f"{self.done} of {self.total or '?'} questions answered"
            state += "" if self.seconds is None else f", about {in_words(self.seconds)}"
        return f"{self.spec.title:<60} {state}"


def jobs(plan: Iterable[RunSpec]) -> list[Job]:
    """The runs of a list, each with what is known of it; nothing is run.

    Raises:
        RunError: damaged records.
    """
    plan = list(plan)
    speeds = {folder: _speeds(folder) for folder in {spec.results / "runs" for spec in plan}}
    return [_job(spec, speeds[spec.results / "runs"]) for spec in plan]


def overview(found: list[Job]) -> str:
    """The last line of a dry run: how many runs there are to do, and how long they may take."""
    open_ones = [job for job in found if not job.finished]
    rest = [job for job in open_ones if not job.skipped and not job.impossible]
    known = [job.seconds for job in rest if job.seconds is not None]
    text = (
        f"{counted(len(found), 'run')}: {len(found) - len(open_ones)} finished, {len(rest)} to do"
    )
    if skipped := sum(bool(job.skipped) for job in open_ones):
        text += f", {skipped} skipped before"
    if left_out := len(open_ones) - len(rest) - skipped:
        text += f", {left_out} left out"
    if known:
        text += f"; about {in_words(sum(known))}"
    if unknown := len(rest) - len(known):
        joined = " and" if known else ";"
        text += f"{joined} {counted(unknown, 'run')} without an earlier one to tell the time from"
    return text


def comparison(outcomes: list[tuple[RunSpec, Outcome]]) -> str:
    """One table of all runs, for each model: a row a method, a column of scores a task and length.

    Settings of the model or the rows in which runs of one cell differ are columns beside the method, so that
    no score is the mean of two of them.
    """
    rows, settings = [], _differing([spec for spec, _ in outcomes])
    for spec, outcome in outcomes:
        identity = spec.identity()
        method = identity["method"]
        rows.append(
            {
                "model": spec.model.label,
                **{name: _settings(spec).get(name, "") for name in settings},
                "method": method["name"],
                "rule": method.get("rule", ""),
                "depth": str(method.get("depth", "")),
                "variant": variant(identity),
                "asked": asked(method),
                "cell": spec.cell,
                "score": outcome.score,
                "kv_budget": outcome.kv_budget,
            }
        )
    table = pd.DataFrame(rows)
    keys = ["model", *settings, *METHOD]
    groups = table.groupby(keys, sort=False)
    scores = groups["score"].count().to_frame("runs").assign(kv_budget=groups["kv_budget"].mean())
    cells = list(dict.fromkeys(table["cell"]))
    wide = table.pivot_table(index=keys, columns="cell", values="score", sort=False)[cells]
    return as_markdown(scores.drop(columns="runs").join(wide).reset_index())


def _differing(specs: list[RunSpec]) -> list[str]:
    """Names of the settings of model and task in which runs of one model and cell differ."""
    cells: dict[tuple[str, str], list[dict[str, str]]] = {}
    for spec in specs:
        cells.setdefault((spec.model.label, spec.cell), []).append(_settings(spec))
    names = dict.fromkeys(name for each in cells.values() for known in each for name in known)
    return [
        name
        for name in names
        if any(len({known.get(name) for known in each}) > 1 for each in cells.values())
    ]


def _settings(spec: RunSpec) -> dict[str, str]:
    """Settings of model and task as text, by about the names that they have on a command line."""
    identity = spec.identity()
    return {
        f"{part}.{name}": value if isinstance(value, str) else json.dumps(value)
        for part in ("model", "task")
        for name, value in identity[part].items()
    }


def _job(spec: RunSpec, speeds: dict[tuple[str, ...], list[float]]) -> Job:
    path, note = spec.folder / RECORDS, spec.folder / SKIPPED
    done = len(read_records(path)) if path.exists() else 0
    total = spec.questions
    skipped = json.loads(note.read_text())["reason"] if note.exists() and not done else ""
    found = _closest(spec, speeds)
    rest = None if total is None or not found else median(found) * max(0, total - done)
    whole = finished(spec) is not None
    impossible = (
        "" if whole or skipped else obstacle(spec, first_length(spec.model, spec.task)) or ""
    )
    return Job(spec, done, total, whole, skipped, impossible, rest)


def _closest(spec: RunSpec, speeds: dict[tuple[str, ...], list[float]]) -> list[float]:
    """Seconds a question of earlier runs of the same model and length; of the same method where there are."""
    place = (spec.model.label, str(spec.task.length))
    return speeds.get((*place, spec.method.name)) or speeds.get(place) or []


def _speeds(runs: Path) -> dict[tuple[str, ...], list[float]]:
    """Seconds a question of all finished runs, by model and length, and by method as well."""
    found: dict[tuple[str, ...], list[float]] = {}
    for path in sorted(runs.rglob(SUMMARY)):
        each = seconds_each(read_json(path) or {})
        if each is None:
            continue
        identity = read_identity(path.with_name(CONFIG))
        place = (identity["model"]["name"], str(identity["task"]["length"]))
        for key in (place, (*place, identity["method"]["name"])):
            found.setdefault(key, []).append(each)
    return found
