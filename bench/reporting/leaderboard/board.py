"""The leaderboard alone: written, checked, and merged with others."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.leaderboard.rows import begun, leaderboard, load_runs
from bench.reporting.leaderboard.schema import Problem, Row, parse, problems, read
from bench.reporting.output import as_csv, write_text

FILE = "leaderboard.csv"


def accepted(board: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows that may stand in one leaderboard, and the problems of the others, by their rows here."""
    found = problems(parse(as_csv(board), "the records"))
    refused = {problem.number - 1 for problem in found}
    return board[[number not in refused for number in range(len(board))]], found


def merged(paths: list[Path]) -> pd.DataFrame:
    """The rows of several leaderboards in one, as text, each run once.

    Raises:
        InputError: a row of one of them is refused, or contradicts one of another; names file and row.
    """
    return _together(_files(paths))


@dataclass(frozen=True)
class Sifted:
    """Rows of several leaderboards that may stand together, and those that may not.

    Attributes:
        rows: as text, each run once, each with the ``origin`` that it is from.
        refused: file or folder, number of the row in it (1 is the first), and why.
    """

    rows: list[dict[str, str]]
    refused: list[tuple[str, int, str]]


def sifted(boards: list[tuple[str, list[dict[str, str]]]]) -> Sifted:
    """Takes out of several leaderboards every row that is refused, alone or beside the others.

    Where rows contradict each other, the leaderboard that comes first keeps its own.
    """
    refused: list[tuple[str, int, str]] = []
    kept: list[tuple[str, int, dict[str, str]]] = []
    for name, rows in boards:
        wrong = {problem.number: problem.reason for problem in problems(rows)}
        refused += [(name, number, reason) for number, reason in wrong.items()]
        others = [row for _, _, row in kept]
        for number, row in enumerate(rows, start=1):
            if number not in wrong and row not in others:
                kept.append((name, number, row))
    # A dense row that is refused leaves the rows that were compared with it alone.
    while found := problems([row for _, _, row in kept]):
        for problem in reversed(found):
            name, number, _ = kept.pop(problem.number - 1)
            refused.append((name, number, f"beside the other rows {problem.reason}"))
    order = {name: place for place, (name, _) in enumerate(boards)}
    refused.sort(key=lambda each: (order[each[0]], each[1]))
    return Sifted([{"origin": name, **row} for name, _, row in kept], refused)


def _files(paths: list[Path]) -> list[tuple[str, list[dict[str, str]]]]:
    found = []
    for path in paths:
        rows = read(path)
        refuse(path, problems(rows))
        found.append((str(path), rows))
    return found


def _together(boards: list[tuple[str, list[dict[str, str]]]]) -> pd.DataFrame:
    tables, origins = [], []
    for name, rows in boards:
        tables.append(pd.DataFrame(rows, dtype=str))
        origins += [f"{name}, row {number}" for number in range(1, len(rows) + 1)]
    together = pd.concat(tables, ignore_index=True).fillna("").drop_duplicates()
    for problem in problems(together.to_dict("records")):  # type: ignore[arg-type]
        origin = origins[together.index[problem.number - 1]]
        raise InputError(f"{origin}: beside the other rows {problem.reason}")
    return together


def refuse(path: Path, found: list[Problem]) -> None:
    """Raises InputError with the first problem of a file, if there is one."""
    if found:
        raise InputError(f"{path}, {found[0]}{_more(found)}")


def schema() -> str:
    """The schema of a row, as JSON."""
    return json.dumps(Row.model_json_schema(), indent=1)


def checked(path: Path) -> str:
    """One line about a file whose rows may all be compared.

    Raises:
        InputError: they may not; names the row.
    """
    rows = read(path)
    refuse(path, problems(rows))
    return f"{path}: {len(rows)} row{'' if len(rows) == 1 else 's'}, all may be compared"


def write(runs: Path, out: Path, merge: list[Path]) -> Path:
    """Writes the leaderboard of a folder of records, merged with those of others; returns its path.

    Raises:
        InputError, RunError: as the parts. OSError: not writable.
    """
    loaded = load_runs(runs)
    board = leaderboard(loaded, begun(runs, loaded))
    refuse(runs, problems(parse(as_csv(board), str(runs))))
    if merge:  # before anything is written: what is refused leaves the file as it was
        board = _together([(str(runs), parse(as_csv(board), str(runs))), *_files(merge)])
    return write_text(out / FILE, as_csv(board))


def _more(found: list[Problem]) -> str:
    return f" (and {len(found) - 1} more rows)" if len(found) > 1 else ""
