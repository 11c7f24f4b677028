"""Depth of the hierarchy: how many centroid bytes it saves, and what that costs in accuracy."""

import dataclasses

import pandas as pd
from matplotlib.axes import Axes

from bench.reporting.figures import style
from bench.reporting.figures.looks import BLACK
from bench.reporting.statistics.pooled import CELL, Pool, by_length
from bench.reporting.studies.base import Study, with_interval

COARSE, SCORE = "coarse_sparsity=", "coarse_score="
KEYS = ["context_length", "method", "rule", "others", "asked"]  # of what differs in depth only
MARKERS = ((1, "o"), (2, "s"), (3, "^"))  # by depth


def cells(pool: Pool) -> Pool:
    """Cells of methods with clusters that have a cell of depth 1 beside them, and those.

    Added columns: ``others`` (the variant without what the coarse levels do), ``coarse`` and ``coarse_score``
    (what they do; empty: the default), and of the comparison with depth 1: ``flat`` (that cell),
    ``lookup_ratio``, ``difference`` with its interval.
    """
    table = pool.table
    table = table[table["clustered"] & table["lookup_budget"].gt(0)]
    parts = table["variant"].str.split(", ")
    table = table.assign(
        others=[
            ", ".join(p for p in each if p and not p.startswith((COARSE, SCORE))) for each in parts
        ],
        coarse=[_setting(each, COARSE) for each in parts],
        coarse_score=[_setting(each, SCORE) for each in parts],
    )
    flat = table[table["depth"] == 1].drop_duplicates(KEYS)
    table = table.merge(flat[KEYS].assign(flat=flat[CELL]), on=KEYS, how="inner")
    deep = table.loc[table["depth"] > 1, "flat"]
    found = pool.compared(table[table["flat"].isin(deep)])
    table = found.table[~found.table["dense"]].reset_index(drop=True)
    lookups = table.drop_duplicates(CELL).set_index(CELL)["lookup_budget"]
    compared = [_against(found, row) for row in table.to_dict("records")]
    table = table.assign(lookup_ratio=table["lookup_budget"] / table["flat"].map(lookups))
    return dataclasses.replace(found, table=table.join(pd.DataFrame(compared, index=table.index)))


def _setting(parts: list[str], name: str) -> str:
    """The value of a setting among a variant's parts; empty if it has its default."""
    return next((part[len(name) :] for part in parts if part.startswith(name)), "")


def _against(found: Pool, row: dict) -> dict[str, float]:
    """The difference from depth 1, question by question; NaN for depth 1 itself and for blank cells."""
    both = None if row[CELL] == row["flat"] else found.against(row[CELL], row["flat"])
    names = ("difference", "difference_ci_low", "difference_ci_high")
    if both is None or pd.isna(row["score"]):
        return dict.fromkeys(names, float("nan"))
    delta = both.delta
    return dict(zip(names, (delta.mean, delta.low, delta.high), strict=True))


def tables(chosen: Pool) -> dict[str, pd.DataFrame]:
    """One row for each length, size, depth and coarse sparsity."""
    found = chosen.table.sort_values(
        [*KEYS[:-1], "size", "depth", "coarse", "coarse_score"],
        kind="stable",
    )
    table = pd.DataFrame(
        {
            "context_length": found["context_length"],
            "method": _names(found),
            "asked": found["asked"],
            "depth": found["depth"],
            "coarse_sparsity": found["coarse"]
            .where(found["depth"] > 1, "-")
            .replace("", "0.5 (default)"),
            "coarse_score": found["coarse_score"]
            .where(found["depth"] > 1, "-")
            .replace("", "mean (paper)"),
            "lookup_budget": found["lookup_budget"],
            "lookup, depth 1 = 1": found["lookup_ratio"],
            "kv_budget": found["kv_budget"],
            "measured_sparsity": found["measured_sparsity"],
            "score (95 % CI)": with_interval(found, "score"),
            "minus depth 1 (95 % CI)": with_interval(found, "difference"),
            "tasks": found["tasks"],
            "n": found["n"],
            "contexts": found["contexts"],
            "complete": found["complete"],
        }
    )
    return {"": table}


def _several(found: pd.DataFrame) -> pd.DataFrame:
    """The sizes that were run with several coarse sparsities; all where none was."""
    several = found.groupby(["length", *KEYS[1:]])["coarse"].transform("nunique") > 1
    return found[several] if several.any() else found


def _names(found: pd.DataFrame) -> pd.Series:
    """What a row is besides its depth, for instance ``squeezed topk, residual=True``."""
    rule = found["rule"].map(lambda text: f" {text}" if text else "")
    return found["method"] + rule + found["others"].map(lambda text: f", {text}" if text else "")


@style.applied
def draw(chosen: Pool, title: str) -> style.Drawn:
    """Score against the centroid bytes read: a row of panels a length, a column a rule, a point a run."""
    found = _several(chosen.table)
    series = found["asked"] + found["coarse_score"].map(lambda text: f", {text}" if text else "")
    series = series.where(found["depth"] > 1, found["asked"])
    found = found.assign(panel=_names(found), series=series)
    colours = style.colours(found["series"])
    lengths = by_length(found)
    panels = list(dict.fromkeys(found["panel"]))
    figure, grid = style.panels(len(lengths), len(panels), width=3.6, height=3.2)
    note = _same_drop(found)
    for line, (length, of_length) in zip(grid, lengths, strict=True):
        for axes, panel in zip(line, panels, strict=True):
            here = of_length[of_length["panel"] == panel]
            axes.set_visible(len(here) > 0)
            if here.empty:
                continue
            for name, runs in here.groupby("series", sort=False):
                _points(axes, runs, str(name), colours[str(name)], drops=not note)
            axes.set_title(f"{panel}\n{length}, {style.questions(here)}")
            axes.set_xlim(0, 1.08)
            axes.margins(y=0.15)
        line[0].set_ylabel("score, 95 % interval")
    for axes in grid[-1]:
        axes.set_xlabel("centroid bytes read, depth 1 = 1")
    for depth, marker in MARKERS:
        if (found["depth"] == depth).any():
            grid[0][0].plot([], [], marker, color=BLACK, ms=6, label=f"depth {depth}")
    figure.suptitle(f"{title}\n{note or 'beside each point: share that each coarse level drops'}")
    style.legend(figure)
    return style.Drawn(figure)


def _same_drop(found: pd.DataFrame) -> str:
    """What all coarse levels drop, in words; empty if they differ."""
    drops = found.loc[found["depth"] > 1, "coarse"].replace("", "0.5").unique()
    return f"each coarse level drops {drops[0]}" if len(drops) == 1 else ""


def _points(axes: Axes, runs: pd.DataFrame, name: str, colour: str, *, drops: bool) -> None:
    """The runs of one size and coarse score; with ``drops``, what each dropped is said beside it."""
    low, high = (runs[f"score_ci_{end}"].fillna(runs["score"]) for end in ("low", "high"))
    axes.vlines(runs["lookup_ratio"], low, high, color=colour, alpha=0.5, lw=1)
    for depth, marker in MARKERS:
        at = runs[runs["depth"] == depth]
        axes.plot(at["lookup_ratio"], at["score"], marker, color=colour, ms=6)
    axes.plot([], [], "-", color=colour, label=name)
    for row in runs[runs["depth"] > 1].to_dict("records") if drops else ():
        at_point = (row["lookup_ratio"], row["score"])
        axes.annotate(
            row["coarse"] or "0.5", at_point, xytext=(4, 4), textcoords="offset points", fontsize=6
        )


HIERARCHY = Study(
    "hierarchy",
    "Depth of the hierarchy",
    "Centroid bytes that the lookup reads, as a share of what depth 1 reads at the same length and size, "
    "against the score. The difference from depth 1 is paired by question.",
    cells,
    tables,
    draw,
)
