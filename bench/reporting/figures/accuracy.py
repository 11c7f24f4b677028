"""Accuracy against the measured KV budget: a figure per model and task, a panel per cell of it."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.output import write_figure
from bench.reporting.tables.overview import groups
from bench.reporting.variants import labels

FEW = 4  # more subtasks than that do not each get a row


def write(board: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes ``NAME`` as PNG and PDF for every group of ``tables.overview``; returns the paths."""
    return [
        path
        for name, part in groups(board)
        for path in write_figure(draw(part.reset_index(drop=True)), folder, name)
    ]


@style.applied
def draw(part: pd.DataFrame) -> Figure:
    """The figure of one group: rows are subtasks, columns are lengths; several subtasks a row if many."""
    part = part.assign(label=labels(part))
    subtasks = list(dict.fromkeys(part["subtask"]))
    lengths = sorted(part["context_length"].dropna().unique()) or [None]
    looks = style.styles(part["label"])
    beside = 1
    if len(subtasks) > FEW:  # then as many panels beside each other as below
        beside = max(1, round((len(subtasks) / len(lengths)) ** 0.5))
    rows = math.ceil(len(subtasks) / beside)
    figure, grid = style.panels(rows, beside * len(lengths), height=2.5)
    for axes in grid.flat:
        axes.set_visible(False)
    for i, subtask in enumerate(subtasks):
        for j, length in enumerate(lengths):
            here = part[part["subtask"] == subtask]
            if length is not None:
                here = here[here["context_length"] == length]
            if len(here):
                axes = grid[i // beside, i % beside * len(lengths) + j]
                axes.set_visible(True)
                _panel(axes, here, looks)
                tokens = "" if length is None else f", {length:g} tokens"
                axes.set_title(f"{subtask}{tokens}, {style.questions(here)}")
    grid[0][0].set_xlim(left=0)  # shared; here, where all is drawn
    first = part.iloc[0]
    figure.suptitle(f"{first['model']} on {first['task']} (prompts: {first['prompts']})")
    _label_outer(grid)
    style.legend(figure)
    return figure


def _label_outer(grid: np.ndarray) -> None:
    """Names and numbers of the axes at the outermost panels that are shown."""
    for column in grid.T:
        shown = [axes for axes in column if axes.get_visible()]
        if shown:
            shown[-1].set_xlabel("measured KV budget (1 = all read)")
            shown[-1].tick_params(labelbottom=True)
    for row in grid:
        shown = [axes for axes in row if axes.get_visible()]
        if shown:
            shown[0].set_ylabel("score, 95 % interval")
            shown[0].tick_params(labelleft=True)


def _panel(axes: Axes, here: pd.DataFrame, looks: dict[str, style.Style]) -> None:
    style.dense_line(axes, here[here["label"] == "full"])
    others = here[here["label"] != "full"]
    band = others["label"].nunique() <= style.BANDS
    for label, runs in others.groupby("label", sort=False):
        style.curve(axes, runs["kv_budget"], runs, str(label), looks[str(label)], band=band)
    axes.set_ylim(-0.05, 1.08)
