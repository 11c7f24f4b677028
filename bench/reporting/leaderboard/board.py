"""``python -m bench.report leaderboard``: the leaderboard alone, checked, and merged with others."""

import argparse
import json
from pathlib import Path

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.leaderboard.schema import Problem, Row, parse, problems, read
from bench.reporting.output import write_text

FILE = "leaderboard.csv"


def as_csv(board: pd.DataFrame) -> str:
    """The leaderboard as the text of its file."""
    return board.to_csv(index=False, float_format="%.6g")


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
    tables, origins = [], []
    for path in paths:
        rows = read(path)
        refuse(path, problems(rows))
        tables.append(pd.DataFrame(rows, dtype=str))
        origins += [f"{path}, row {number}" for number in range(1, len(rows) + 1)]
    together = pd.concat(tables, ignore_index=True).fillna("").drop_duplicates()
    for problem in problems(together.to_dict("records")):  # type: ignore[arg-type]
        origin = origins[together.index[problem.number - 1]]
        raise InputError(f"{origin}: beside the other rows {problem.reason}")
    return together


def refuse(path: Path, found: list[Problem]) -> None:
    """Raises InputError with the first problem of a file, if there is one."""
    if found:
        raise InputError(f"{path}, {found[0]}{_more(found)}")


def main(arguments: list[str]) -> int:
    """Runs the command line after ``leaderboard``; returns the exit code 0.

    Raises:
        InputError, RunError: as the parts. OSError: not writable.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.report leaderboard", description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder of records")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder to write to")
    parser.add_argument(
        "--merge", type=Path, nargs="+", metavar="CSV", help="leaderboards of others to take in"
    )
    parser.add_argument("--check", type=Path, metavar="CSV", help="check this file, write nothing")
    parser.add_argument("--schema", action="store_true", help="print the schema, write nothing")
    options = parser.parse_args(arguments)
    if options.schema:
        print(json.dumps(Row.model_json_schema(), indent=1))
        return 0
    if options.check is not None:
        rows = read(options.check)
        refuse(options.check, problems(rows))
        print(f"{options.check}: {len(rows)} rows, all may be compared")
        return 0
    board = leaderboard(load_runs(options.runs))
    refuse(options.runs, problems(parse(as_csv(board), str(options.runs))))
    path = write_text(options.out / FILE, as_csv(board))
    if options.merge:
        write_text(path, merged([path, *options.merge]).to_csv(index=False))
    print(f"wrote {path}")
    return 0


def _more(found: list[Problem]) -> str:
    return f" (and {len(found) - 1} more rows)" if len(found) > 1 else ""
