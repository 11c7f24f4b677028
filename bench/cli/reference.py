"""``make reference``, ``python -m bench.cli.reference``: the committed reference studies."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.errors import InputError
from bench.config.plain import Plain, records_below, setting


@dataclass(frozen=True)
class Settings:
    """Settings of the command."""

    name: str | None = setting(None, "the study; null: all are remade")
    study: str | None = setting(None, "what to make of it; null: as its README says")
    group: str | None = setting(None, "pack these runs first, a group as the report names it")
    table: Path | None = setting(None, "pack this table of timings first, a CSV")
    results: Path = setting(Path("results"), "folder of results of those runs")
    reference: Path | None = setting(None, "folder of the studies; null: that of this repository")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    return REMAKE.main(arguments)


def _remake(settings: Settings) -> None:
    for key in ("group", "table"):
        if getattr(settings, key) is not None and settings.name is None:
            raise InputError(f"{key} needs name=NAME, the study that it is packed into")
    if settings.group is not None and settings.table is not None:
        raise InputError("group and table are both given; a study is made of one of them")
    from bench.reporting.reference import REFERENCE, pack, remake, studies  # late: with pandas
    from bench.reporting.reference.packed import write_rows
    from bench.reporting.reference.write import RECORDS

    reference = settings.reference or REFERENCE
    if settings.name is not None and settings.group is not None:
        runs = records_below(settings.results)
        pack(runs, _folders(runs, settings.group), reference / settings.name / RECORDS)
    if settings.name is not None and settings.table is not None:
        write_rows(_rows(settings.table), reference / settings.name / RECORDS)
    for name in [settings.name] if settings.name is not None else studies(reference):
        for path in remake(reference / name, settings.study):
            print(f"wrote {path}")


def _rows(table: Path) -> list[dict[str, str]]:
    """The rows of a table of timings, as text."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{table} cannot be read: {error}") from error
    if not rows:
        raise InputError(f"{table} has no row")
    return rows


def _folders(runs: Path, group: str) -> list[str]:
    """Folders of the runs of a group."""
    from bench.reporting.leaderboard.rows import leaderboard, load_runs
    from bench.reporting.tables import overview

    groups = dict(overview.groups(leaderboard(load_runs(runs))))
    if group not in groups:
        raise InputError(f"no group {group!r} in {runs}; there are: {', '.join(groups)}")
    return list(groups[group]["run"])


REMAKE = Plain(
    "reference",
    "bench.cli.reference",
    Settings,
    _remake,
    """Remakes tables and figures of the reference studies from their committed records, or packs the runs
of a group, or a table of kernel timings, into one first.
Exit codes: 0 done, 1 damaged records, 2 bad input.""",
    ("", "name=NAME group=GROUP results=DIR study=KIND", "name=NAME table=CSV study=kernels"),
)

if __name__ == "__main__":
    sys.exit(main())
