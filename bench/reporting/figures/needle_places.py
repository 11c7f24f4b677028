"""Heat maps of accuracy: length of the context across, place of the answer in it down."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from bench.reporting.figures import style
from bench.reporting.figures.files import write_drawn
from bench.reporting.tables.needle_places import BINS
from bench.reporting.variants import DENSE, labels

COLOURS = "viridis"  # which colour-blind readers see as others do
MOST = 12  # panels in one figure, full attention first; the table has all
NOTHING = "white"  # where no answer stood
LETTER = 0.055  # inches of a letter of a panel's title
PANEL_TITLE, TITLE = 6, 9  # sizes of letters, in points
POOLED = "all subtasks"


def write(
    groups: list[tuple[str, pd.DataFrame]], folder: Path, formats: Sequence[str] = ()
) -> list[Path]:
    """Writes ``NAME-needle-places`` as PNG (and ``formats``) for every group; returns the paths.

    A group without a difference between places or methods has no figure: it would be of one colour.
    """
    written: list[Path] = []
    for name, table in groups:
        if table["accuracy"].nunique() > 1:

            def drawn(name: str = name, table: pd.DataFrame = table) -> style.Drawn:
                return style.Drawn(draw(name, table))

            stem = f"{name}-needle-places"
            written += write_drawn(drawn, [name, table], folder, stem, formats).paths
    return written


@style.applied
def draw(name: str, table: pd.DataFrame) -> Figure | None:
    """The figure of one group: a row of panels per subtask, a column per method.

    Where that would be more than ``MOST`` panels, the answers of all subtasks stand together; ``None`` where
    no method was then run on all of them.
    """
    # Rows with lengths of their own share one column.
    lengths_or_none = table["context_length"].fillna(0).astype(int)
    table = table.assign(label=labels(table, size=True), context_length=lengths_or_none)
    every = table["label"].nunique()
    if every > MOST:  # then one size of each method
        first = table.assign(method=labels(table)).groupby("method")["label"].transform("first")
        table = table[table["label"] == first]
    if table["subtask"].nunique() * table["label"].nunique() > MOST:
        table = pooled(table)
    if table.empty:
        return None
    subtasks, methods = (list(dict.fromkeys(table[each])) for each in ("subtask", "label"))
    methods = sorted(methods, key=lambda method: method != DENSE)
    methods = methods[:MOST]
    note = f"; {len(methods)} of {every} methods and sizes" if len(methods) < every else ""
    lengths = sorted(table["context_length"].unique())
    width = 0.9 + 0.35 * len(lengths)  # of a panel, in inches
    size = (1.6 + len(methods) * width, 1.8 + 1.7 * len(subtasks))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(subtasks), len(methods), squeeze=False, sharex=True, sharey=True)
    image = None
    for i, subtask in enumerate(subtasks):
        for j, method in enumerate(methods):
            here = table[(table["subtask"] == subtask) & (table["label"] == method)]
            names = [str(each or "own") for each in lengths]
            image = _panel(grid[i][j], cells(here, lengths), names)
            if i == 0:
                grid[i][j].set_title(_wrapped(method, width, PANEL_TITLE), fontsize=PANEL_TITLE)
        grid[i][0].set_ylabel(f"{subtask}\nplace of the answer", fontsize=7)
    if image is not None:
        figure.colorbar(image, ax=grid, label="share of answers found", shrink=0.8)
    title = f"{name}: length in tokens, and place of the answer (0: beginning){note}"
    figure.suptitle(_wrapped(title, size[0], TITLE), fontsize=TITLE)
    return figure


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """The answers of all subtasks together, of methods that were run on all of them at a length."""
    all_tasks = table.groupby("context_length")["subtask"].transform("nunique")
    own = table.groupby(["context_length", "label"])["subtask"].transform("nunique")
    table = table[own == all_tasks]
    found = table.assign(hits=table["accuracy"] * table["n"])
    keys = ["context_length", "label", "bin"]
    sums = found.groupby(keys, sort=False)[["hits", "n"]].sum().reset_index()
    return sums.assign(accuracy=sums["hits"] / sums["n"], subtask=POOLED)


def _wrapped(title: str, width: float, points: int) -> str:
    """A title in lines of at most ``width`` inches."""
    letters = int(width / (LETTER * points / PANEL_TITLE))
    return "\n".join(textwrap.wrap(title, letters, break_long_words=False))


def cells(here: pd.DataFrame, lengths: list[int]) -> np.ndarray:
    """Accuracy ``[BINS, lengths]`` of one method on one subtask; NaN where nothing stood."""
    values = np.full((BINS, len(lengths)), np.nan)
    for length, number, accuracy in zip(
        here["context_length"], here["bin"], here["accuracy"], strict=True
    ):
        values[number, lengths.index(length)] = accuracy
    return values


def _panel(axes: Axes, values: np.ndarray, lengths: list[str]) -> AxesImage:
    axes.set_facecolor(NOTHING)
    axes.grid(visible=False)
    masked = np.ma.masked_invalid(values)
    image = axes.imshow(masked, cmap=COLOURS, vmin=0, vmax=1, aspect="auto", origin="upper")
    axes.set_xticks(range(len(lengths)), lengths, fontsize=6, rotation=45)
    axes.set_yticks([-0.5, BINS / 2 - 0.5, BINS - 0.5], ["0", "0.5", "1"], fontsize=6)
    return image
