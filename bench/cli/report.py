"""``squeezed-bench report``: tables, figures, leaderboard and page from all records of all runs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.collector import uncollected
from bench.config.errors import InputError, fail
from bench.config.plain import Plain, records_below, setting
from bench.reporting.names import STUDY_NAMES

if TYPE_CHECKING:
    import pandas as pd

    from bench.reporting.leaderboard.rows import Run

LEADERBOARD = "leaderboard"


@dataclass(frozen=True)
class Report:
    """Settings of the report."""

    results: Path = setting(Path("results"), "folder of results; their records are below its runs")
    out: Path | None = setting(None, "folder to write to; null: the folder of results")
    site: Path | None = setting(
        None, "write the leaderboard as a site into this folder, and nothing else"
    )
    merge: list[Path] = setting([], "leaderboards of others to take into the site")
    study: str | None = setting(None, "write this study only, and show its tables", STUDY_NAMES)
    formats: list[str] = setting([], "files beside CSV, Markdown and PNG", ("tex", "pdf"))


@dataclass(frozen=True)
class Leaderboard:
    """Settings of ``report leaderboard``."""

    results: Path = setting(Path("results"), "folder of results; their records are below its runs")
    out: Path | None = setting(None, "folder to write to; null: the folder of results")
    merge: list[Path] = setting([], "leaderboards of others to take in")
    check: Path | None = setting(None, "check this file, and write nothing")
    schema: bool = setting(False, "print the schema, and write nothing")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == [LEADERBOARD]:
        return BOARD.main(given[1:])
    return REPORT.main(given)


def _report(settings: Report) -> int:
    if settings.merge and settings.site is None:
        raise InputError("merge is for a site: say site=DIR, or use report leaderboard merge=[...]")
    if settings.site is not None:
        return _site(settings, settings.site)
    runs_folder = records_below(settings.results)
    import pandas as pd  # late: with all that draws

    # Tables of a few hundred rows, thousands of times: Arrow's texts cost more than they save.
    with uncollected(last=True), pd.option_context("mode.string_storage", "python"):
        return _make(settings, runs_folder, settings.out or settings.results)


def _site(settings: Report, out: Path) -> int:
    for path in settings.merge:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    if out.exists() and not out.is_dir():
        raise InputError(f"site={out} is a file; expected a folder")
    runs = settings.results / "runs" if settings.merge else records_below(settings.results)
    from bench.reporting.site.write import write as write_site  # late: with pandas

    page, refused = write_site(runs if runs.is_dir() else None, settings.merge, out)
    for name, number, reason in refused:
        print(f"refused: {name}, row {number}: {reason}")
    print(f"wrote {page}; open it in a browser, it needs no server")
    return 0


def _make(settings: Report, runs_folder: Path, out: Path) -> int:
    from bench.reporting.leaderboard.board import FILE, accepted  # late: with all that draws
    from bench.reporting.leaderboard.rows import begun, leaderboard, load_runs
    from bench.reporting.output import as_markdown
    from bench.reporting.tables import overview

    if settings.study is None and (only := _heads_alone(runs_folder, out, settings.formats)):
        for path in only:
            print(f"wrote {path}")
        return 0
    runs = load_runs(runs_folder)
    board = leaderboard(runs, begun(runs_folder, runs))
    if settings.study is not None:
        return _one_study(settings.study, runs, board, out, settings.formats)
    groups = [(name, part, overview.overview(part)) for name, part in overview.groups(board)]
    paths, failed = write(runs_folder, runs, board, groups, out, settings.formats)
    for name, _, table in groups:
        print(f"\n{name}\n{as_markdown(table)}")
    print()
    for run in board.loc[~board["complete"], "run"]:
        print(f"not finished, so its numbers are of a part: {run}")
    for problem in accepted(board)[1]:
        run = board.iloc[problem.number - 1]["run"]
        print(f"left out of {FILE}: {problem.reason} ({run})")
    for path in paths:
        print(f"wrote {path}")
    return max((fail(1, line) for line in failed), default=0)


def _heads_alone(runs: Path, out: Path, formats: Sequence[str]) -> list[Path]:
    """Tables and figures of ``squeezed-bench skew`` in a folder without any record; else nothing."""
    from bench.records.files import RECORDS
    from bench.reporting import heads

    return [] if any(runs.rglob(RECORDS)) else heads.write(runs, out, formats)


def write(
    folder: Path,
    runs: "list[Run]",
    board: "pd.DataFrame",
    groups: "list[tuple[str, pd.DataFrame, pd.DataFrame]]",
    out: Path,
    formats: Sequence[str] = (),
) -> tuple[list[Path], list[str]]:
    """Writes the leaderboard, all tables and all figures of the runs in a folder.

    Args:
        groups: name, rows of the leaderboard, and overview of each of ``tables.overview.groups``.

    Returns:
        The paths, and a line for each study that could not be made.
    """
    from bench.reporting import heads
    from bench.reporting.figures import accuracy, density
    from bench.reporting.figures import needle_places as needle_figures
    from bench.reporting.leaderboard.board import FILE, accepted
    from bench.reporting.output import as_csv, write_text
    from bench.reporting.page.write import write as write_page
    from bench.reporting.studies import STUDIES
    from bench.reporting.studies.write import failures
    from bench.reporting.studies.write import write as write_studies
    from bench.reporting.tables import longbench, needle_places, overview, prefixqa, probes

    rows, _ = accepted(board)
    paths = [write_text(out / FILE, as_csv(rows))]
    paths += overview.write(board, out / "tables", formats)
    paths += accuracy.write(board, out / "figures", formats)
    paths += longbench.write(runs, out / "tables")
    paths += prefixqa.write(runs, out / "tables")
    depths = needle_places.by_group(runs, board)
    paths += needle_places.write(depths, out / "tables")
    paths += needle_figures.write(depths, out / "figures", formats)
    made = probes.by_group(runs, board)
    paths += probes.write(made, out / "tables")
    paths += density.write(made, out / "figures", formats)
    paths += heads.write(folder, out, formats)
    studies = write_studies(STUDIES.values(), runs, board, out, formats)
    paths += [path for study in studies for path in study.paths]
    page = write_page(runs, groups, studies, out / "figures", out)
    return [*paths, page], failures(studies)


def _one_study(
    name: str, runs: "list[Run]", board: "pd.DataFrame", out: Path, formats: Sequence[str]
) -> int:
    from bench.reporting.output import as_markdown
    from bench.reporting.studies import STUDIES
    from bench.reporting.studies.write import failures
    from bench.reporting.studies.write import write as write_studies

    written = write_studies([STUDIES[name]], runs, board, out, formats)
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


def _board(settings: Leaderboard) -> None:
    for path in [*settings.merge, *([settings.check] if settings.check else [])]:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    alone = settings.schema or settings.check is not None
    runs = None if alone else records_below(settings.results)
    from bench.reporting.leaderboard import board  # late: with pandas

    if settings.schema:
        print(board.schema())
    elif settings.check is not None:
        print(board.checked(settings.check))
    elif runs is not None:
        print(f"wrote {board.write(runs, settings.out or settings.results, settings.merge)}")


REPORT = Plain(
    "report",
    "bench.report",
    Report,
    _report,
    """Makes tables, figures, leaderboard and page from all records of all runs: RESULTS/tables,
RESULTS/figures, RESULTS/leaderboard.csv, RESULTS/report.html. site=DIR makes a page of the leaderboard
alone, with filters and with what each row is from. Exit codes: 0 done, 1 damaged records,
2 bad input. The leaderboard alone, checked or merged: squeezed-bench report leaderboard --help""",
    (
        "results=results",
        "site=site merge=[theirs.csv]",
        "study=budgets formats=tex,pdf",
        "leaderboard check=theirs.csv",
    ),
)
BOARD = Plain(
    "report leaderboard",
    "bench.report leaderboard",
    Leaderboard,
    _board,
    "Writes the leaderboard alone, checks one, or merges it with others.",
    ("check=theirs.csv", "merge=[a.csv,b.csv] out=together"),
)
