"""Accuracy by needle place: where in the context the answers stood that were found, or missed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.reporting.leaderboard.rows import Run
from bench.reporting.output import as_csv, write_text
from bench.reporting.tables import overview
from bench.reporting.variants import METHOD
from ruler.score import found

BINS = 10  # equal shares of the context, from its beginning to its end
CELL = ["subtask", "context_length", *METHOD]


def by_group(runs: list[Run], board: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """For every RULER group of ``tables.overview`` with places in its records: name, ``per_place``."""
    records = {folder: table for _, table, folder in runs}
    asked = board[board["task"] == "ruler"]  # whose records say where the answers stood
    named = ((name, per_place(part, records)) for name, part in overview.groups(asked))
    return [(name, table) for name, table in named if len(table)]


def per_place(part: pd.DataFrame, records: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per run and share of the context.

    Columns: ``CELL``; ``bin`` (0 is the beginning), ``place_from`` and ``place_to``; ``accuracy``,
    the share of answers there that were found; ``n``, how many answers there were.
    """
    rows = []
    for _, run in part.iterrows():
        places = [place for record in _dicts(records[run["run"]]) for place in answers_at(record)]
        bins = np.array([min(int(depth * BINS), BINS - 1) for depth, _ in places], dtype=int)
        values = np.array([value for _, value in places], dtype=float)
        for number in np.unique(bins):
            here = values[bins == number]
            shares = {"place_from": number / BINS, "place_to": (number + 1) / BINS}
            cell = {name: run[name] for name in CELL}
            measured = {"accuracy": here.mean(), "n": len(here)}
            rows.append({**cell, "bin": number, **shares, **measured})
    return pd.DataFrame(rows)


def answers_at(record: dict[str, Any]) -> list[tuple[float, float]]:
    """Depth and success of each thing that a question asked for.

    Where every answer has a place of its own, whether it was found; where a document holds the one
    answer somewhere, the question's score at each such document.
    """
    depths = record["meta"].get("depths") or []
    if len(depths) == len(record["answers"]):
        hits = found(record["prediction"], record["answers"])
        return [(depth, float(hit)) for depth, hit in zip(depths, hits, strict=True)]
    return [(depth, record["score"]) for depth in depths]


def write(groups: list[tuple[str, pd.DataFrame]], folder: Path) -> list[Path]:
    """Writes ``NAME-needle-places.csv`` for every group; returns the paths."""
    return [
        write_text(folder / f"{name}-needle-places.csv", as_csv(table)) for name, table in groups
    ]


def _dicts(records: pd.DataFrame) -> list[dict[str, Any]]:
    if not {"prediction", "answers", "meta"} <= set(records.columns):
        return []
    return records[["prediction", "answers", "score", "meta"]].to_dict("records")  # type: ignore[return-value]
