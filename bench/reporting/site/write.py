"""Writes the site: one page with all rows in it, and the leaderboard as CSV beside it."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from bench.config.errors import InputError
from bench.reporting.leaderboard.board import FILE, sifted
from bench.reporting.leaderboard.rows import (
    COLUMNS,
    EXTRA_COLUMNS,
    begun,
    leaderboard,
    load_runs,
)
from bench.reporting.leaderboard.schema import parse, read
from bench.reporting.output import as_csv, write_text
from bench.reporting.site.command import command

PAGE = "index.html"
HERE = "these records"
NUMBERS = (
    *("context_length", "kv_budget", "score", "score_ci_low", "score_ci_high", "full_score"),
    *("delta", "delta_ci_low", "delta_ci_high", "n"),
)


def write(
    runs: Path | None, submitted: list[Path], out: Path
) -> tuple[Path, list[tuple[str, int, str]]]:
    """Writes the site into a folder.

    Args:
        runs: the folder of all records; None: there are none. submitted: leaderboards of others.

    Returns:
        The page, and the rows that are refused: file, number of the row, reason.

    Raises:
        InputError: no row at all, or a file that is no leaderboard. RunError: damaged records.
        OSError: a file cannot be written.
    """
    boards: list[tuple[str, list[dict[str, str]]]] = []
    origins: dict[str, dict[str, str]] = {}
    if runs is not None:
        found = load_runs(runs)
        boards.append((HERE, parse(as_csv(leaderboard(found, begun(runs, found))), HERE)))
        origins = {folder: _origin(records) for _, records, folder in found}
    boards += [(str(path), read(path)) for path in submitted]
    kept = sifted(boards)
    if not kept.rows:
        raise InputError("no row may stand in the leaderboard" + _first(kept.refused))
    rows = [_row(row, origins if row["origin"] == HERE else {}) for row in kept.rows]
    room = files("bench.reporting.site")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(room.joinpath("site.html").read_text()).render(
        style=room.joinpath("site.css").read_text(),
        script=room.joinpath("site.js").read_text(),
        # No "<" stays in the data, so that no text in it can end the element.
        data=json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c"),
        refused=kept.refused,
        csv=FILE,
    )
    table = pd.DataFrame(kept.rows).drop(columns="origin")
    write_text(out / FILE, as_csv(table))
    return write_text(out / PAGE, page), kept.refused


def _row(row: dict[str, str], origins: dict[str, dict[str, str]]) -> dict[str, Any]:
    """A row as the page takes it: numbers as numbers, the rest as text."""
    numbers = {name: float(row[name]) if row[name] else None for name in NUMBERS}
    known = (*COLUMNS, *EXTRA_COLUMNS)
    texts = {name: row[name] for name in known if name in row and name not in NUMBERS}
    others = {name: row[name] for name in row if name not in (*known, "origin") and row[name]}
    said = {"origin": row["origin"], "origins": origins.get(row["run"], {})}
    return texts | numbers | said | {"more": others}


def _origin(records: pd.DataFrame) -> dict[str, str]:
    """What the records of a run say of where they come from, in words."""
    found = {"measured": _span(records["time"])} if "time" in records else {}
    versions = [each for each in records.get("versions", ()) if isinstance(each, dict)]
    if versions:
        found["libraries"] = ", ".join(f"{name} {value}" for name, value in versions[-1].items())
    for name in ("threads", "backend"):
        if name in records:
            found[name] = ", ".join(sorted({str(each) for each in records[name]}))
    origins = [each for each in records.get("provenance", ()) if isinstance(each, dict)]
    if origins:
        last = origins[-1]
        found |= {"machine": str(last["device"]), "python": str(last["python"])}
        found |= {"model files": str(last["model"]), "rows": str(last["rows"])}
        found["command"] = command(last["config"])
    return found


def _span(times: pd.Series) -> str:
    days = sorted({str(each)[:10] for each in times})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _first(refused: list[tuple[str, int, str]]) -> str:
    return "; {}, row {}: {}".format(*refused[0]) if refused else ""
