"""One look for every figure: colours, markers and sizes that stay with a method."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; marker and dashes say it again.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
)
COLOURS = "cividis"  # of heat maps: read alike by all
NOTHING = "#dddddd"  # where there is no value
RC: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "pdf.fonttype": 42,  # text stays text
}
applied = mpl.rc_context(RC)  # a decorator of functions that draw
BANDS = 6  # up to so many lines have a band; more have bars, which cover less


@dataclass(frozen=True)
class Style:
    """How one method is drawn. ``line``: as matplotlib's linestyle."""

    colour: str
    marker: str
    line: str = "-"


FULL = Style(BLACK, "", "--")
FIXED = {
    "squeezed topk": Style(BLUE, "o"),
    "squeezed topk, residual=True": Style("#555555", "*"),
    "squeezed threshold": Style(RED, "s"),
    "squeezed threshold, calibration_inputs=3": Style(PINK, "d", "-."),
    "squeezed threshold, calibration_inputs=6": Style(PINK, "d", "-."),
    "squeezed topp": Style(ORANGE, "P"),
    "oracle topk": Style(GREEN, "^"),
    "oracle threshold": Style(SKY, "v"),
    "streaming": Style(PINK, "D"),
    "quest topk": Style(ORANGE, "X", "--"),
    "snapkv": Style(SKY, "<", "--"),
    "snapkv, observe=input": Style(SKY, ">", ":"),
    "h2o": Style(RED, "p", "--"),
    "random": Style("#777777", "h", ":"),
}
FREE_COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, SKY, BLACK, "#777777")
FREE_MARKERS = "*d8HPXvs"
DEPTH = re.compile(r" depth (\d)")
DEPTH_LINES = {"2": "--", "3": ":"}  # a deeper hierarchy keeps its method's colour and marker


def styles(names: Iterable[str]) -> dict[str, Style]:
    """A style for each name, no two alike as long as there are any left; well-known names keep theirs."""
    names = list(dict.fromkeys(names))
    chosen = {name: style for name in names if (style := _fixed(name)) is not None}
    taken = {*FIXED.values(), *chosen.values()}
    free = (
        Style(colour, FREE_MARKERS[(i + turn) % len(FREE_MARKERS)], line)
        for line in ("-", "--", ":")
        for turn in range(len(FREE_MARKERS))
        for i, colour in enumerate(FREE_COLOURS)
    )
    for name in names:
        if name not in chosen:
            chosen[name] = next(style for style in free if style not in taken)
    return chosen


def _fixed(name: str) -> Style | None:
    """The style of a well-known name, if it is one."""
    if name == "full":
        return FULL
    found, deeper = FIXED.get(DEPTH.sub("", name)), DEPTH.search(name)
    if found is None or deeper is None:
        return found
    line = DEPTH_LINES.get(deeper[1])
    return None if line is None else Style(found.colour, found.marker, line)


def panels(
    rows: int, columns: int, *, width: float = 3.4, height: float = 2.6, share: bool = True
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of panels, which share their axes or not, and room for a legend below."""
    size = (max(5.4, width * columns + 0.6), height * rows + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)


def curve(
    axes: Axes, x: pd.Series, table: pd.DataFrame, label: str, style: Style, *, band: bool
) -> None:
    """One method's scores with their 95 % intervals, along ``x``."""
    order = np.argsort(x.to_numpy(dtype=float), kind="stable")
    at, shown = x.to_numpy(dtype=float)[order], table.iloc[order]
    low, high = (
        shown[name].fillna(shown["score"]).to_numpy(dtype=float)
        for name in ("score_ci_low", "score_ci_high")
    )
    score = shown["score"].to_numpy(dtype=float)
    look: Any = {"color": style.colour, "marker": style.marker, "linestyle": style.line}
    axes.plot(at, score, label=label, markersize=5, linewidth=1.3, alpha=0.9, **look)
    if band and len(at) > 1:
        axes.fill_between(at, low, high, color=style.colour, alpha=0.1, linewidth=0)
    else:
        axes.vlines(at, low, high, color=style.colour, alpha=0.7, linewidth=1)


def dense_line(axes: Axes, full: pd.DataFrame) -> None:
    """Full attention's score as a line across, with its interval as a band."""
    if full.empty:
        return
    row = full.iloc[0]
    axes.axhline(row["score"], color=FULL.colour, linestyle=FULL.line, lw=1, label="full")
    if pd.notna(row["score_ci_low"]):
        axes.axhspan(row["score_ci_low"], row["score_ci_high"], color=FULL.colour, alpha=0.07, lw=0)


def legend(figure: Figure) -> None:
    """One legend below all panels, each name once, as many beside each other as there is room for."""
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if not handles:
        return
    inches = 0.45 + 0.058 * max(
        len(label) for label in handles
    )  # of one entry at this size of letters
    columns = max(1, int(figure.get_figwidth() / inches))
    columns = min(columns, len(handles))
    figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(handles) // columns))
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
    )


def questions(table: pd.DataFrame) -> str:
    """How many questions stand behind each point: ``n = 216`` or ``n = 144 to 216``."""
    low, high = int(table["n"].min()), int(table["n"].max())
    return f"n = {low}" if low == high else f"n = {low} to {high}"
