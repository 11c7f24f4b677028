"""Accuracy against the measured KV budget: a figure per model and task, a panel per cell of it.

Where there would be many panels, one table of colours stands for them: a row a cell, a column a method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.figures.files import write_drawn
from bench.reporting.figures.looks import Look, looks
from bench.reporting.tables.overview import groups
from bench.reporting.variants import DENSE, METHOD, labels, lengths

FEW = 4  # more subtasks than that do not each get a row
MOST = 12  # panels; above, the table of colours
COLUMNS = 14  # of that table; above, of each method the size that reads least
DATA = ["model", "task", "prompts", "subtask", "context_length", *METHOD, "kv_budget", "score"]
DATA += ["score_ci_low", "score_ci_high", "delta", "n"]  # columns that are drawn
DIFFERENCE = "PuOr"  # colours of worse and better, which colour-blind readers tell apart
WHITE_UP_TO = 0.6  # of the largest difference: text on lighter colours is black


@dataclass(frozen=True)
class Plan:
    """What a group's figure shows. ``panels``: subtask, length and rows of each that tells something."""

    panels: list[tuple[str, str, pd.DataFrame]]
    notes: tuple[str, ...]


def write(board: pd.DataFrame, folder: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Writes ``NAME`` as PNG (and ``formats``) for every group of ``tables.overview``; returns the paths."""
    written: list[Path] = []
    for name, whole in groups(board):
        part = whole.reset_index(drop=True)

        def drawn(part: pd.DataFrame = part) -> style.Drawn:
            return style.Drawn(draw(part[DATA]))

        # Of times, which differ from run to run, nothing is drawn.
        written += write_drawn(drawn, [part[DATA]], folder, name, formats).paths
    return written


def plan(part: pd.DataFrame) -> Plan:
    """The panels of a group's figure, and sentences about those that are left out."""
    # Short lengths first, whichever of them the first subtask's panel shows.
    part = part.assign(label=labels(part), length=lengths(part))
    order = list(dict.fromkeys(part["subtask"]))
    part = part.sort_values("context_length", kind="stable")
    several = part["length"].nunique() > 1
    panels, silent = [], {}
    for subtask in sorted(part["subtask"].unique(), key=order.index):
        for length, here in part[part["subtask"] == subtask].groupby("length", sort=False):
            if reason := style.silent(here):
                silent[f"{subtask} ({length})" if several else str(subtask)] = reason
            else:
                panels.append((str(subtask), str(length), here))
    return Plan(panels, style.left_out(silent))


@style.applied
def draw(part: pd.DataFrame) -> Figure | None:
    """The figure of one group; ``None`` where no panel tells anything."""
    panels = plan(part).panels
    if not panels:
        return None
    figure = _colours(panels) if len(panels) > MOST else _curves(panels)
    first = part.iloc[0]
    figure.suptitle(f"{first['model']} on {first['task']} (prompts: {first['prompts']})")
    return figure


def _curves(panels: list[tuple[str, str, pd.DataFrame]]) -> Figure:
    """Rows are subtasks, columns are lengths; several subtasks a row if they are many.

    Where panels are left out, the others follow each other without holes.
    """
    subtasks, columns = (list(dict.fromkeys(each)) for each in list(zip(*panels, strict=True))[:2])
    look = looks(label for *_, here in panels for label in here["label"])
    beside = 1
    if len(subtasks) > FEW:  # then as many panels beside each other as below
        beside = max(1, round((len(subtasks) / len(columns)) ** 0.5))
    width = beside * len(columns)
    places = [
        divmod(subtasks.index(subtask) * len(columns) + columns.index(length), width)
        for subtask, length, _ in panels
    ]
    if len(panels) < len(subtasks) * len(columns):
        places = [divmod(number, width) for number in range(len(panels))]
    figure, grid = style.panels(places[-1][0] + 1, width, height=2.5)
    for axes in grid.flat:
        axes.set_visible(False)
    for place, (subtask, length, here) in zip(places, panels, strict=True):
        axes = grid[place]
        axes.set_visible(True)
        _panel(axes, here, look)
        axes.set_title(f"{subtask}\n{length}, {style.questions(here)}", fontsize=8)
    grid[0][0].set_xlim(left=0)  # shared, as the heights; here, where all is drawn
    style.heights(grid[0][0], pd.concat(here for *_, here in panels))
    _label_outer(grid)
    style.legend(figure)
    return figure


def _label_outer(grid: np.ndarray) -> None:
    """Names and numbers of the axes at the outermost panels that are shown."""
    for column in grid.T:
        shown = [axes for axes in column if axes.get_visible()]
        if shown:
            shown[-1].set_xlabel("measured KV budget (1 = all read)", fontsize=8)
            shown[-1].tick_params(labelbottom=True)
    for row in grid:
        shown = [axes for axes in row if axes.get_visible()]
        if shown:
            shown[0].set_ylabel("score, 95 % interval", fontsize=8)
            shown[0].tick_params(labelleft=True)


def _panel(axes: Axes, here: pd.DataFrame, look: dict[str, Look]) -> None:
    style.dense_line(axes, here[here["label"] == DENSE])
    others = here[here["label"] != DENSE]
    band = others["label"].nunique() <= style.BANDS
    for label, runs in others.groupby("label", sort=False):
        style.curve(axes, runs["kv_budget"], runs, str(label), look[str(label)], band=band)


def _colours(panels: list[tuple[str, str, pd.DataFrame]]) -> Figure:
    """A row a subtask and length, a column a method and size: the score, and by colour what full lacks."""
    several = len({length for _, length, _ in panels}) > 1
    cells = pd.concat(
        here.assign(row=f"{subtask}, {length}" if several else subtask)
        for subtask, length, here in panels
    )
    cells = cells.assign(column=labels(cells, size=True))
    if cells["column"].nunique() > COLUMNS:
        budgets = cells.groupby(["label", "column"])["kv_budget"].mean()
        least = {column for _, column in budgets.groupby("label").idxmin()}
        cells = cells[cells["column"].isin(least)]
    rows, columns = (list(dict.fromkeys(cells[name])) for name in ("row", "column"))
    columns = sorted(columns, key=lambda name: name != DENSE)
    scores, deltas = (
        cells.pivot_table(index="row", columns="column", values=name).reindex(rows, columns=columns)
        for name in ("score", "delta")
    )
    size = (2.6 + 0.62 * len(columns), 2.4 + 0.24 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    most = max(0.1, float(np.nanmax(np.abs(deltas.to_numpy(dtype=float)), initial=0)))
    axes.set_facecolor(style.NOTHING)
    image = axes.imshow(
        np.ma.masked_invalid(deltas.to_numpy(dtype=float)),
        cmap=DIFFERENCE,
        vmin=-most,
        vmax=most,
        aspect="auto",
    )
    dark_at = np.abs(deltas.to_numpy(dtype=float)) > WHITE_UP_TO * most
    for (i, j), score in np.ndenumerate(scores.to_numpy(dtype=float)):
        if not np.isnan(score):
            colour = "white" if dark_at[i, j] else "black"
            axes.text(j, i, f"{score:.2f}", ha="center", va="center", fontsize=7, color=colour)
    names = [name.replace(", ", "\n").replace(" ", "\n", 1) for name in columns]
    axes.set_xticks(range(len(columns)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label="score minus full attention's", shrink=0.6)
    return figure
