"""Files of the studies, for every group of runs that may stand in one table."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.reporting.leaderboard.rows import Run
from bench.reporting.output import write_figure, write_table
from bench.reporting.statistics.pooled import pool
from bench.reporting.studies.base import Study
from bench.reporting.tables import overview


@dataclass(frozen=True)
class Written:
    """What one study made of one group of runs.

    ``tables``: by file name without its ending. ``figure``: of its PNG; ``None``: there is none.
    """

    study: Study
    group: str
    tables: dict[str, pd.DataFrame]
    figure: Path | None
    paths: list[Path]


def write(
    studies: Iterable[Study], runs: list[Run], board: pd.DataFrame, out: Path
) -> list[Written]:
    """Writes ``GROUP-STUDY.*`` under ``tables`` and ``figures`` for all studies that the records make."""
    records = {folder: table for _, table, folder in runs}
    written = []
    for group, part in overview.groups(board):
        cells = pool(part, records)
        for study in studies:
            found = study.tables(cells)
            named = {f"{group}-{study.name}{end}": table for end, table in found.items()}
            if not named:
                continue
            paths = [
                path
                for name, table in named.items()
                for path in write_table(table, out / "tables", name)
            ]
            figure = None
            if study.draw is not None:
                drawn = study.draw(cells, f"{study.title}\n{group}")
                images = write_figure(drawn, out / "figures", f"{group}-{study.name}")
                figure, paths = images[0], paths + images
            written.append(Written(study, group, named, figure, paths))
    return written
