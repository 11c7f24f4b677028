"""Calibration transfer: the sparsity that was asked for, and the one that questions really got."""

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.statistics.pooled import Pool
from bench.reporting.studies.base import Study

WITHIN = 0.03  # a gap that is small enough
KEYS = ["context_length", "label", "size"]


def cells(pool: Pool) -> pd.DataFrame:
    """Squeezed cells asked by sparsity, of methods with at least three sizes; ``gap``: measured - asked."""
    table = pool.table
    table = table[
        (table["method"] == "squeezed")
        & table["asked"].str.startswith("sparsity ")
        & table["measured_sparsity"].notna()
    ]
    sizes = table.groupby(["context_length", "label"])["size"].transform("nunique")
    table = table[sizes >= 3]
    return table.assign(gap=table["measured_sparsity"] - table["size"])


def tables(pool: Pool) -> dict[str, pd.DataFrame]:
    """One row a length and method, one column of gaps an asked sparsity."""
    found = cells(pool)
    if found.empty:
        return {}
    order = (
        found[["context_length", "label"]]
        .drop_duplicates()
        .sort_values("context_length", kind="stable")
    )
    gaps = found.pivot(index=["context_length", "label"], columns="size", values="gap")
    gaps = gaps.loc[list(order.itertuples(index=False, name=None))]
    gaps.columns = pd.Index([f"asked {size:g}" for size in gaps.columns])
    largest = gaps.abs().max(axis=1)
    counts = found.groupby(["context_length", "label"])["n"].min()
    table = gaps.assign(
        **{"largest gap": largest, f"within {WITHIN}": largest <= WITHIN, "n": counts}
    )
    table = table.reset_index().rename(columns={"label": "method"})
    scores = found[
        [
            *KEYS,
            "measured_sparsity",
            "gap",
            "kv_budget",
            "score",
            "score_ci_low",
            "score_ci_high",
            "n",
        ]
    ]
    return {"": table, "-cells": scores.rename(columns={"label": "method", "size": "asked"})}


@style.applied
def draw(pool: Pool, title: str) -> Figure:
    """A panel a length: measured minus asked against asked, and the band that is close enough."""
    found = cells(pool)
    lengths = sorted(found["context_length"].unique())
    looks = style.styles(found["label"])
    figure, grid = style.panels(1, len(lengths), width=4.2, height=3.4)
    for axes, length in zip(grid[0], lengths, strict=True):
        here = found[found["context_length"] == length]
        axes.axhspan(-WITHIN, WITHIN, color=style.BLACK, alpha=0.08, lw=0, label=f"within {WITHIN}")
        axes.axhline(0, color=style.BLACK, lw=0.8)
        for label, runs in here.groupby("label", sort=False):
            look = looks[str(label)]
            runs = runs.sort_values("size")
            axes.plot(
                runs["size"],
                runs["gap"],
                look.line,
                color=look.colour,
                marker=look.marker,
                ms=5,
                lw=1.2,
                label=str(label),
            )
        axes.set_title(f"{length} tokens, {style.questions(here)}")
        axes.set_xlabel("asked sparsity")
    grid[0][0].set_ylabel("measured minus asked sparsity")
    figure.suptitle(title)
    style.legend(figure)
    return figure


TRANSFER = Study(
    "transfer",
    "Calibration transfer",
    "Thresholds are calibrated on other queries than the questions: on the observation window, or on a few "
    "user inputs. The table shows the sparsity that held-out questions got, minus the one asked for.",
    tables,
    draw,
)
