"""Calibration transfer: the sparsity that was asked for, and the one that questions really got."""

import dataclasses

import pandas as pd

from bench.reporting.figures import style
from bench.reporting.figures.looks import BLACK, looks
from bench.reporting.statistics.pooled import Pool, by_length
from bench.reporting.studies.base import Study, at_several

WITHIN = 0.03  # a gap that is small enough
SHOWN = ["context_length", "label", "size", "measured_sparsity", "gap", "kv_budget", "score"]
SHOWN += ["score_ci_low", "score_ci_high", "n"]


def cells(pool: Pool) -> Pool:
    """Cells of methods with clusters at three sparsities or more; ``gap``: measured - asked."""
    table = pool.table
    table = table[
        table["clustered"]
        & table["asked"].str.startswith("sparsity ")
        & table["measured_sparsity"].notna()
    ]
    found = pool.compared(at_several(table, "size", least=3))
    ours = found.table[~found.table["dense"]]
    gap = ours["measured_sparsity"] - ours["size"]
    return dataclasses.replace(found, table=ours.assign(gap=gap))


def tables(found: Pool) -> dict[str, pd.DataFrame]:
    """One row a length and method, one column of gaps an asked sparsity; and the cells."""
    cells = found.table
    rows = []
    for _, here in by_length(cells):
        for label, runs in here.groupby("label", sort=False):
            runs = runs.sort_values("size")
            gaps = {
                f"asked {size:g}": gap for size, gap in zip(runs["size"], runs["gap"], strict=True)
            }
            largest = runs["gap"].abs().max()
            row = {"context_length": here["context_length"].iloc[0], "method": label, **gaps}
            row |= {"largest gap": largest, f"within {WITHIN}": largest <= WITHIN}
            rows.append(row | {"n": runs["n"].min()})
    asked = [f"asked {size:g}" for size in sorted(cells["size"].unique())]
    head, tail = ["context_length", "method"], ["largest gap", f"within {WITHIN}", "n"]
    table = pd.DataFrame(rows)[[*head, *asked, *tail]].astype({"context_length": "Int64"})
    names = {"label": "method", "size": "asked"}
    return {"": table, "-cells": cells[SHOWN].rename(columns=names)}


@style.applied
def draw(found: Pool, title: str) -> style.Drawn:
    """A panel a length: measured minus asked against asked, and the band that is close enough."""
    lengths = by_length(found.table)
    look = looks(found.table["label"])
    figure, grid = style.panels(1, len(lengths), width=4.2, height=3.4)
    for axes, (length, here) in zip(grid[0], lengths, strict=True):
        axes.axhspan(-WITHIN, WITHIN, color=BLACK, alpha=0.08, lw=0, label=f"within {WITHIN}")
        axes.axhline(0, color=BLACK, lw=0.8)
        for label, runs in here.groupby("label", sort=False):
            runs = runs.sort_values("size")
            drawn = look[str(label)].drawn()
            axes.plot(runs["size"], runs["gap"], ms=5, lw=1.2, label=str(label), **drawn)
        axes.set_title(f"{length}, {style.questions(here)}")
        axes.set_xlabel("asked sparsity")
    grid[0][0].set_ylabel("measured minus asked sparsity")
    figure.suptitle(title)
    style.legend(figure)
    return style.Drawn(figure)


TRANSFER = Study(
    "transfer",
    "Calibration transfer",
    "Thresholds are calibrated on other queries than the questions: on the observation window, or on a few "
    "user inputs. The table shows the sparsity that held-out questions got, minus the one asked for.",
    cells,
    tables,
    draw,
)
