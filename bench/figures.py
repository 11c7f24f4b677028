"""Accuracy against the measured KV budget: a figure per model and task, a panel per cell of it."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting import style
from bench.reporting.output import write_figure
from bench.reporting.variants import labels
from bench.tables import groups


def write(board: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes ``NAME`` as PNG and PDF for every group of ``bench.tables``; returns the paths."""
    return [
        path
        for name, part in groups(board)
        for path in write_figure(draw(part.reset_index(drop=True)), folder, name)
    ]


@style.applied
def draw(part: pd.DataFrame) -> Figure:
    """The figure of one group: rows are subtasks, columns are lengths."""
    part = part.assign(label=labels(part))
    subtasks = list(dict.fromkeys(part["subtask"]))
    lengths = sorted(part["context_length"].dropna().unique()) or [None]
    looks = style.styles(part["label"])
    figure, grid = style.panels(len(subtasks), len(lengths), height=2.5)
    for i, subtask in enumerate(subtasks):
        for j, length in enumerate(lengths):
            here = part[part["subtask"] == subtask]
            if length is not None:
                here = here[here["context_length"] == length]
            grid[i][j].set_visible(len(here) > 0)
            if len(here):
                _panel(grid[i][j], here, looks)
                tokens = "" if length is None else f", {length:g} tokens"
                grid[i][j].set_title(f"{subtask}{tokens}, {style.questions(here)}")
    grid[0][0].set_xlim(left=0)  # shared; here, where all is drawn
    first = part.iloc[0]
    figure.suptitle(f"{first['model']} on {first['task']} (prompts: {first['prompts']})")
    for axes in grid[-1]:
        axes.set_xlabel("measured KV budget (1 = all read)")
    for axes in grid[:, 0]:
        axes.set_ylabel("score, 95 % interval")
    style.legend(figure)
    return figure


def _panel(axes: Axes, here: pd.DataFrame, looks: dict[str, style.Style]) -> None:
    style.dense_line(axes, here[here["label"] == "full"])
    others = here[here["label"] != "full"]
    band = others["label"].nunique() <= style.BANDS
    for label, runs in others.groupby("label", sort=False):
        style.curve(axes, runs["kv_budget"], runs, str(label), looks[str(label)], band=band)
    axes.set_ylim(-0.05, 1.08)
