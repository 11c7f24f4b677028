"""Accuracy against the measured KV budget: a figure per model and task, a panel per cell of it."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.tables import groups

# Okabe and Ito's colours, which colour-blind readers can tell apart; the marker says it again.
STYLES = {
    "squeezed topk": ("#0072B2", "o"),
    "squeezed threshold": ("#D55E00", "s"),
    "oracle topk": ("#009E73", "^"),
    "oracle threshold": ("#56B4E9", "v"),
    "streaming": ("#CC79A7", "D"),
}
SPARE = [("#E69F00", "P"), ("#F0E442", "X"), ("#000000", "*"), ("#999999", "h")]


def write(board: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes ``NAME.png`` for every group of ``bench.tables``; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, part in groups(board):
        path = folder / f"{name}.png"
        # A fixed software tag: the same records give the same file.
        draw(part).savefig(path, dpi=150, metadata={"Software": None})
        written.append(path)
    return written


def draw(part: pd.DataFrame) -> Figure:
    """The figure of one group: rows are subtasks, columns are lengths."""
    subtasks = list(dict.fromkeys(part["subtask"]))
    lengths = sorted(part["context_length"].unique())
    styles = _styles(part)
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        size = (3.4 * len(lengths) + 0.6, 2.5 * len(subtasks) + 1.1)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(subtasks), len(lengths), squeeze=False, sharex=True, sharey=True)
        for i, subtask in enumerate(subtasks):
            for j, length in enumerate(lengths):
                here = part[(part["subtask"] == subtask) & (part["context_length"] == length)]
                grid[i][j].set_visible(len(here) > 0)
                _panel(grid[i][j], here, styles)
                grid[i][j].set_title(f"{subtask}, {length} tokens", fontsize=9)
        first = part.iloc[0]
        figure.suptitle(f"{first['model']} on {first['task']} (prompts: {first['prompts']})")
        for axes in grid[-1]:
            axes.set_xlabel("measured KV budget (1 = all read)")
        for axes in grid[:, 0]:
            axes.set_ylabel("score, 95 % interval")
        _legend(figure, grid)
    return figure


def _panel(axes: Axes, here: pd.DataFrame, styles: dict[str, tuple[str, str]]) -> None:
    for label, runs in here.groupby(_label(here), sort=False):
        if label == "full":
            axes.axhline(runs["score"].mean(), color="black", linestyle="--", lw=1, label="full")
            continue
        runs = runs.sort_values("kv_budget")
        colour, marker = styles[str(label)]
        errors = np.vstack(
            [runs["score"] - runs["score_ci_low"], runs["score_ci_high"] - runs["score"]]
        )
        axes.errorbar(
            runs["kv_budget"],
            runs["score"],
            yerr=np.nan_to_num(errors).clip(min=0),
            label=str(label),
            color=colour,
            marker=marker,
            markersize=5,
            capsize=3,
            linewidth=1.3,
            alpha=0.85,
        )
    axes.set_ylim(-0.05, 1.08)
    axes.set_xlim(left=0)


def _label(part: pd.DataFrame) -> pd.Series:
    # Row by row: a column without a single value, or no row at all, would be taken for numbers.
    labels = []
    for method, rule, depth in zip(part["method"], part["rule"], part["depth"], strict=True):
        name = f"{method} {rule}" if pd.notna(rule) and rule else str(method)
        labels.append(f"{name} depth {int(depth)}" if pd.notna(depth) and depth > 1 else name)
    return pd.Series(labels, index=part.index, dtype=object)


def _styles(part: pd.DataFrame) -> dict[str, tuple[str, str]]:
    others = [label for label in dict.fromkeys(_label(part)) if label not in STYLES]
    spare = {label: SPARE[i % len(SPARE)] for i, label in enumerate(others)}
    return STYLES | spare


def _legend(figure: Figure, grid: np.ndarray) -> None:
    handles: dict[str, Artist] = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
