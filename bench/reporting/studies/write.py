"""Files of the studies, for every group of runs that may stand in one table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bench.reporting.figures.files import write_drawn
from bench.reporting.leaderboard.rows import Run
from bench.reporting.output import write_table
from bench.reporting.statistics.pooled import Pool, pool
from bench.reporting.studies.base import Study
from bench.reporting.tables import overview


@dataclass(frozen=True)
class Written:
    """What one study made of one group of runs.

    Attributes:
        pool: all cells of the group. tables: by file name without its ending.
        figure: of its PNG; ``None``: there is none.
        notes: what a reader must know: cells left blank, panels left out.
        error: why the study could not be made, in one line; the other studies are not touched by it.
    """

    study: Study
    group: str
    pool: Pool
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figure: Path | None = None
    paths: list[Path] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    error: str = ""


def write(
    studies: Iterable[Study],
    runs: list[Run],
    board: pd.DataFrame,
    out: Path,
    formats: Sequence[str] = (),
) -> list[Written]:
    """Writes ``GROUP-STUDY.*`` under ``tables`` and ``figures`` for all studies that the records make.

    Raises:
        OSError: a file cannot be written. Any other error of a study is in its ``Written.error``.
    """
    records = {folder: table for _, table, folder in runs}
    written = []
    for group, part in overview.groups(board):
        cells = pool(part, records)
        for study in studies:
            try:
                made = _write(study, group, cells, out, formats)
            except OSError:
                raise
            except Exception as error:  # a study of the many must not take the others with it
                made = Written(study, group, cells, error=f"{type(error).__name__}: {error}")
            written += [] if made is None else [made]
    return written


def failures(written: Iterable[Written]) -> list[str]:
    """A line for each study that could not be made."""
    return [
        f"the study {each.study.name} of {each.group} could not be made: {each.error}"
        for each in written
        if each.error
    ]


def _write(
    study: Study, group: str, cells: Pool, out: Path, formats: Sequence[str]
) -> Written | None:
    found = study.cells(cells)
    if found.table.empty:
        return None
    named = {f"{group}-{study.name}{end}": table for end, table in study.tables(found).items()}
    paths = [
        path
        for name, table in named.items()
        for path in write_table(table, out / "tables", name, formats)
    ]
    figure, notes = None, found.notes
    if study.draw is not None:
        draw, title = study.draw, f"{study.title}\n{group}"
        drawn = write_drawn(
            lambda: draw(found, title),
            [title, found.table],
            out / "figures",
            f"{group}-{study.name}",
            formats,
        )
        notes += drawn.notes
        if drawn.paths:
            figure, paths = drawn.paths[0], paths + drawn.paths
    return Written(study, group, cells, named, figure, paths, notes)
