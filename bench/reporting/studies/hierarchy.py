"""Depth of the hierarchy: how many centroid bytes it saves, and what that costs in accuracy."""

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting import style
from bench.reporting.pooled import CELL, Pool
from bench.reporting.studies.base import Study, with_interval

COARSE = "coarse_sparsity="


def cells(pool: Pool) -> pd.DataFrame:
    """Squeezed cells that have a cell of depth 1 beside them, and those; empty without any.

    Added columns: ``others`` (the variant without its coarse sparsity), ``coarse``, and of the comparison
    with depth 1: ``flat`` (that cell), ``lookup_ratio``, ``difference`` with its interval, ``inside_noise``.
    """
    table = pool.table
    table = table[(table["method"] == "squeezed") & table["lookup_budget"].gt(0)]
    parts = table["variant"].str.split(", ")
    table = table.assign(
        others=[", ".join(p for p in each if p and not p.startswith(COARSE)) for each in parts],
        coarse=[
            next((p[len(COARSE) :] for p in each if p.startswith(COARSE)), "") for each in parts
        ],
    )
    keys = ["context_length", "rule", "others", "asked"]
    flat = table[table["depth"] == 1].drop_duplicates(keys)
    flat = flat.assign(flat=flat[CELL], flat_lookup=flat["lookup_budget"])
    table = table.merge(flat[[*keys, "flat", "flat_lookup"]], on=keys, how="inner")
    deep = table.loc[table["depth"] > 1, "flat"]
    table = table[table["flat"].isin(deep)].reset_index(drop=True)
    compared = [_against(pool, row) for row in table.to_dict("records")]
    return table.assign(lookup_ratio=table["lookup_budget"] / table["flat_lookup"]).join(
        pd.DataFrame(compared, index=table.index)
    )


def _against(pool: Pool, row: dict) -> dict:
    both = pool.against(row[CELL], row["flat"])
    if both is None or row[CELL] == row["flat"]:
        return {
            "difference": float("nan"),
            "difference_ci_low": float("nan"),
            "difference_ci_high": float("nan"),
        }
    delta = both.delta
    return {
        "difference": delta.mean,
        "difference_ci_low": delta.low,
        "difference_ci_high": delta.high,
    }


def tables(pool: Pool) -> dict[str, pd.DataFrame]:
    """One row for each length, size, depth and coarse sparsity."""
    found = cells(pool)
    if found.empty:
        return {}
    found = found.sort_values(
        ["context_length", "rule", "others", "size", "depth", "coarse"], kind="stable"
    )
    table = pd.DataFrame(
        {
            "context_length": found["context_length"],
            "rule": found["rule"] + found["others"].map(lambda text: f", {text}" if text else ""),
            "asked": found["asked"],
            "depth": found["depth"],
            "coarse_sparsity": found["coarse"]
            .where(found["depth"] > 1, "-")
            .replace("", "0.5 (default)"),
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
    keys = ["context_length", "rule", "others", "asked"]
    several = found.groupby(keys)["coarse"].transform("nunique") > 1
    return found[several] if several.any() else found


@style.applied
def draw(pool: Pool, title: str) -> Figure:
    """A panel a length: score against the centroid bytes read, one point a depth and coarse sparsity."""
    found = _several(cells(pool))
    lengths = sorted(found["context_length"].unique())
    series = [
        f"{rule}{', ' + others if others else ''}, {asked}"
        for rule, others, asked in zip(found["rule"], found["others"], found["asked"], strict=True)
    ]
    found = found.assign(series=series)
    looks = style.styles(found["series"])
    figure, grid = style.panels(1, len(lengths), width=4.2, height=3.4)
    for axes, length in zip(grid[0], lengths, strict=True):
        here = found[found["context_length"] == length]
        for name, runs in here.groupby("series", sort=False):
            look = looks[str(name)]
            low, high = (runs[f"score_ci_{end}"].fillna(runs["score"]) for end in ("low", "high"))
            axes.vlines(runs["lookup_ratio"], low, high, color=look.colour, alpha=0.5, lw=1)
            for depth, marker in ((1, "o"), (2, "s"), (3, "^")):
                at = runs[runs["depth"] == depth]
                axes.plot(at["lookup_ratio"], at["score"], marker, color=look.colour, ms=6)
            axes.plot([], [], "-", color=look.colour, label=str(name))
            for row in runs[runs["depth"] > 1].to_dict("records"):
                text = row["coarse"] or "0.5"
                axes.annotate(
                    text,
                    (row["lookup_ratio"], row["score"]),
                    xytext=(4, 4),
                    textcoords="offset points",
                    fontsize=6,
                )
        axes.set_title(f"{length} tokens, {style.questions(here)}")
        axes.set_xlabel("centroid bytes read, depth 1 = 1")
        axes.set_xlim(0, 1.08)
        axes.margins(y=0.15)
    for depth, marker in ((1, "o"), (2, "s"), (3, "^")):
        grid[0][0].plot([], [], marker, color=style.BLACK, ms=6, label=f"depth {depth}")
    grid[0][0].set_ylabel("score, 95 % interval")
    figure.suptitle(f"{title}\nbeside each point: share that each coarse level drops")
    style.legend(figure)
    return figure


HIERARCHY = Study(
    "hierarchy",  # experiment=depth; GROUP-depth is where in the context the answers stood
    "Depth of the hierarchy",
    "Centroid bytes that the lookup reads, as a share of what depth 1 reads at the same length and size, "
    "against the score. The difference from depth 1 is paired by question.",
    tables,
    draw,
)
