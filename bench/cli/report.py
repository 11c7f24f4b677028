"""``python -m bench.report``: tables, figures, leaderboard and page from all records of all runs.

``python -m bench.report leaderboard --help``: check a leaderboard, or merge it with others.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from bench.config.errors import InputError, RunError, fail
from bench.reporting import heads
from bench.reporting.figures import accuracy
from bench.reporting.figures import needle_places as needle_figures
from bench.reporting.leaderboard import board as boards
from bench.reporting.leaderboard.rows import Run, leaderboard, load_runs
from bench.reporting.output import as_markdown, write_text
from bench.reporting.page.write import write as write_page
from bench.reporting.studies import STUDIES
from bench.reporting.studies.write import failures
from bench.reporting.studies.write import write as write_studies
from bench.reporting.tables import longbench, needle_places, overview, prefixqa


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _leaderboard_or_all(arguments)
    except RunError as error:
        return fail(1, str(error))
    except InputError as error:
        return fail(2, str(error))
    except OSError as error:
        return fail(2, f"cannot write the results: {error}; give another folder: --out FOLDER")


def _leaderboard_or_all(arguments: list[str]) -> int:
    if arguments[:1] == ["leaderboard"]:
        return boards.main(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m bench.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder of records")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder to write to")
    parser.add_argument(
        "--study", choices=sorted(STUDIES), help="write this study only, and show its tables"
    )
    options = parser.parse_args(arguments)
    runs = load_runs(options.runs)
    board = leaderboard(runs)
    if options.study is not None:
        return _one_study(options.study, runs, board, options.out)
    paths, failed = write(options.runs, runs, board, options.out)
    for name, part in overview.groups(board):
        print(f"\n{name}\n{as_markdown(overview.overview(part))}")
    print()
    for run in board.loc[~board["complete"], "run"]:
        print(f"not finished, so its numbers are of a part: {run}")
    for problem in boards.accepted(board)[1]:
        run = board.iloc[problem.number - 1]["run"]
        print(f"left out of {boards.FILE}: {problem.reason} ({run})")
    for path in paths:
        print(f"wrote {path}")
    return max((fail(1, line) for line in failed), default=0)


def write(
    folder: Path, runs: list[Run], board: pd.DataFrame, out: Path
) -> tuple[list[Path], list[str]]:
    """Writes the leaderboard, all tables and all figures of the runs in a folder.

    Returns:
        The paths, and a line for each study that could not be made.
    """
    rows, _ = boards.accepted(board)
    paths = [write_text(out / boards.FILE, boards.as_csv(rows))]
    paths += overview.write(board, out / "tables")
    paths += accuracy.write(board, out / "figures")
    paths += longbench.write(runs, out / "tables")
    paths += prefixqa.write(runs, out / "tables")
    depths = needle_places.by_group(runs, board)
    paths += needle_places.write(depths, out / "tables")
    paths += needle_figures.write(depths, out / "figures")
    paths += heads.write(folder, out)
    studies = write_studies(STUDIES.values(), runs, board, out)
    paths += [path for study in studies for path in study.paths]
    groups = [(name, part, overview.overview(part)) for name, part in overview.groups(board)]
    page = write_page(runs, groups, studies, out / "figures", out)
    return [*paths, page], failures(studies)


def _one_study(name: str, runs: list[Run], board: pd.DataFrame, out: Path) -> int:
    written = write_studies([STUDIES[name]], runs, board, out)
    if not written:
        raise InputError(
            f"the records do not make the study {name}; conf/experiment says which runs it needs"
        )
    for study in written:
        for title, table in study.tables.items():
            print(f"\n{title}\n{as_markdown(table)}")
        for note in study.notes:
            print(note)
    for study in written:
        for path in study.paths:
            print(f"wrote {path}")
    return max((fail(1, line) for line in failures(written)), default=0)


if __name__ == "__main__":
    sys.exit(main())
