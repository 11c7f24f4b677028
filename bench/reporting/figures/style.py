"""What all figures share: sizes, panels, curves with intervals, and the legend."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures.looks import BLUE, DENSE_LOOK, GREEN, ORANGE, PINK, RED, SKY, Look
from bench.reporting.variants import DENSE

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
LOW = 0.5  # scores below leave half of the panel empty
BANDS = 6  # up to so many lines have a band; more have bars, which cover less


@dataclass(frozen=True)
class Drawn:
    """What became of a figure. ``figure``: ``None`` where no panel would have told anything.

    ``notes``: which panels are left out and why, a sentence each.
    """

    figure: Figure | None
    notes: tuple[str, ...] = ()


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name of what is no method, in their order; for more than six they come again."""
    cycle = (BLUE, RED, GREEN, ORANGE, PINK, SKY)
    return {name: cycle[i % len(cycle)] for i, name in enumerate(dict.fromkeys(names))}


def silent(points: pd.DataFrame) -> str:
    """Why a panel of these cells would tell nothing, in words; empty if it tells something.

    ``points``: cells with ``label``, ``kv_budget`` and ``score``, full attention among them.
    """
    points = points[points["score"].notna()]
    others = points[points["label"] != DENSE]
    if len(others) < 2:
        return "fewer than two points beside full attention"
    if points["score"].nunique() == 1:
        return f"every method scores {points['score'].iloc[0]:.3f}"
    return ""


def left_out(reasons: dict[str, str]) -> tuple[str, ...]:
    """Sentences about the panels that are left out, by reason. ``reasons``: by the name of the panel."""
    panels: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        panels.setdefault(reason, []).append(name)
    return tuple(f"Not drawn, as {why}: {', '.join(names)}." for why, names in panels.items())


def panels(
    rows: int, columns: int, *, width: float = 3.4, height: float = 2.6, share: bool = True
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of panels, which share their axes or not, and room for a legend below."""
    size = (max(6.6, width * columns + 0.6), height * rows + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)


def curve(
    axes: Axes, x: pd.Series, table: pd.DataFrame, label: str, look: Look, *, band: bool
) -> None:
    """One method's scores with their 95 % intervals, along ``x``."""
    table, x = table[table["score"].notna()], x[table["score"].notna()]
    order = np.argsort(x.to_numpy(dtype=float), kind="stable")
    at, shown = x.to_numpy(dtype=float)[order], table.iloc[order]
    low, high = (
        shown[name].fillna(shown["score"]).to_numpy(dtype=float)
        for name in ("score_ci_low", "score_ci_high")
    )
    score = shown["score"].to_numpy(dtype=float)
    axes.plot(at, score, label=label, markersize=5, linewidth=1.3, alpha=0.9, **look.drawn())
    if band and len(at) > 1:
        axes.fill_between(at, low, high, color=look.colour, alpha=0.1, linewidth=0)
    else:
        axes.vlines(at, low, high, color=look.colour, alpha=0.7, linewidth=1)


def heights(axes: Axes, table: pd.DataFrame) -> None:
    """Scores from 0 to 1, or to a little above the highest interval where all of it is low."""
    most = table[["score", "score_ci_high"]].max().max()
    axes.set_ylim(-0.05, 1.08)
    if most < LOW:
        axes.set_ylim(-0.05 * most, 1.3 * max(most, 0.05))


def dense_line(axes: Axes, full: pd.DataFrame) -> None:
    """Full attention's score as a line across, with its interval as a band."""
    if full.empty or pd.isna(full["score"].iloc[0]):
        return
    row = full.iloc[0]
    axes.axhline(
        row["score"], color=DENSE_LOOK.colour, linestyle=DENSE_LOOK.line, lw=1, label=DENSE
    )
    if pd.notna(row["score_ci_low"]):
        axes.axhspan(
            row["score_ci_low"], row["score_ci_high"], color=DENSE_LOOK.colour, alpha=0.07, lw=0
        )


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
    counts = table.loc[table["score"].notna(), "n"] if table["score"].notna().any() else table["n"]
    low, high = int(counts.min()), int(counts.max())
    return f"n = {low}" if low == high else f"n = {low} to {high}"
