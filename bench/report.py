"""``python -m bench.report``: tables, figures and leaderboard from all records of all runs."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from bench import figures, tables
from bench.errors import InputError, RunError
from bench.leaderboard import leaderboard, load_runs


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder of records")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder to write to")
    options = parser.parse_args(arguments)
    try:
        board = leaderboard(load_runs(options.runs))
        paths = write(board, options.out)
    except RunError as error:
        return _fail(1, str(error))
    except InputError as error:
        return _fail(2, str(error))
    except OSError as error:
        return _fail(2, f"cannot write to {options.out}: {error}; give another: --out FOLDER")
    for name, part in tables.groups(board):
        print(f"\n{name}\n{tables.as_markdown(tables.overview(part))}")
    print()
    for run in board.loc[~board["complete"], "run"]:
        print(f"not finished, so its numbers are of a part: {run}")
    for path in paths:
        print(f"wrote {path}")
    return 0


def write(board: pd.DataFrame, out: Path) -> list[Path]:
    """Writes the leaderboard, the tables and the figures; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "leaderboard.csv"
    board.to_csv(path, index=False, float_format="%.6g")
    return [path, *tables.write(board, out / "tables"), *figures.write(board, out / "figures")]


def _fail(code: int, message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
