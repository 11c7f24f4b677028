"""What a sweep consists of, written down when it starts, so that its status can be told at any time."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.config.errors import InputError
from bench.config.spec import RunSpec, digest
from bench.records.files import now, read_json, write_json
from rows.redact import redact

FOLDER = ".sweeps"  # beside the models' folders, below results/runs


@dataclass(frozen=True)
class Planned:
    """One run of a sweep: its folder below ``results/runs``, a title, and its questions if known."""

    folder: str
    title: str
    expected: int | None


@dataclass(frozen=True)
class Sweep:
    """A sweep that was started. ``name``: the same for the same runs. ``started``: the last time."""

    name: str
    started: str
    command: str
    runs: tuple[Planned, ...]


def note(plan: Sequence[RunSpec]) -> None:
    """Writes down the sweep of these runs; the same sweep started again takes the same file.

    Raises:
        OSError: it cannot be written.
    """
    for results in dict.fromkeys(spec.results for spec in plan):
        runs = results / "runs"
        planned = tuple(
            Planned(str(spec.folder.relative_to(runs)), spec.title, spec.questions)
            for spec in plan
            if spec.results == results
        )
        name = digest(sorted(each.folder for each in planned))[:8]
        found = Sweep(name, now(), redact(" ".join(sys.argv[1:])), planned)
        (runs / FOLDER).mkdir(parents=True, exist_ok=True)
        write_json(runs / FOLDER / f"{name}.json", asdict(found))


def sweeps(runs: Path) -> list[Sweep]:
    """All sweeps below a folder of records, the last started one last.

    Raises:
        InputError: a file is not what ``note`` wrote.
    """
    found = [_read(path) for path in sorted((runs / FOLDER).glob("*.json"))]
    return sorted(found, key=lambda each: each.started)


def _read(path: Path) -> Sweep:
    content: dict[str, Any] | None = read_json(path)
    try:
        fields = dict(content or {})
        runs = tuple(Planned(**each) for each in fields.pop("runs"))
        return Sweep(runs=runs, **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error!r}); delete it, no record is lost") from error
