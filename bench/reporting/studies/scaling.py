"""What grows with the context: times of a question, and the cost of the index."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.statistics.pooled import Pool
from bench.reporting.studies.base import Study

TIMES = {
    "prefill_ms": "prefill of the user input, ms",
    "decode_ms_per_token": "decode, ms a token",
    "index_ms": "clustering and calibration, ms",
}


def cells(pool: Pool) -> pd.DataFrame:
    """Cells of methods and sizes that were run at two lengths or more; ``name``: method and size."""
    table = pool.table
    name = table["label"] + ("; " + table["asked"]).where(table["asked"] != "", "")
    table = table.assign(name=name, index_ms=table["index_ms"].where(table["depth"].notna()))
    return table[table.groupby("name")["context_length"].transform("nunique") > 1]


def tables(pool: Pool) -> dict[str, pd.DataFrame]:
    """One row a method, size and length; times are medians over questions."""
    found = cells(pool)
    if found.empty:
        return {}
    columns = [
        "name",
        "context_length",
        "score",
        "kv_budget",
        *TIMES,
        "index_bytes",
        "n",
        "contexts",
    ]
    full = found[found["method"] == "full"].set_index("context_length")
    ratio = found["context_length"].map(full["decode_ms_per_token"]) / found["decode_ms_per_token"]
    dense = found["prefill_ms"].rdiv(found["context_length"].map(full["prefill_ms"]))
    table = found[columns].assign(**{"prefill, times full": dense, "decode, times full": ratio})
    order = {name: place for place, name in enumerate(dict.fromkeys(found["name"]))}
    table = table.assign(order=table["name"].map(order)).sort_values(["order", "context_length"])
    return {"": table.drop(columns="order").rename(columns={"name": "method"})}


@style.applied
def draw(pool: Pool, title: str) -> Figure:
    """A panel a time, along the length; of each method the size that reads least."""
    found = _smallest(cells(pool))
    looks = style.styles(found["label"])
    lengths = sorted(found["context_length"].unique())
    times = {column: label for column, label in TIMES.items() if found[column].notna().any()}
    figure, grid = style.panels(1, len(times), width=3.4, height=3.0, share=False)
    for axes, (column, label) in zip(grid[0], times.items(), strict=True):
        for name, runs in found.dropna(subset=[column]).groupby("name", sort=False):
            look = looks[runs["label"].iloc[0]]
            runs = runs.sort_values("context_length")
            drawn = {"color": look.colour, "marker": look.marker or ".", "linestyle": look.line}
            axes.plot(runs["context_length"], runs[column], label=str(name), lw=1.2, ms=5, **drawn)
        axes.set_title(label)
        axes.set_xlabel("context, tokens")
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [f"{length:g}" for length in lengths])
        axes.set_ylim(bottom=0)
    figure.suptitle(f"{title}\nmedian times, {style.questions(found)}")
    style.legend(figure)
    return figure


def _smallest(found: pd.DataFrame) -> pd.DataFrame:
    """Of each method the size that reads least."""
    budgets = found.groupby(["label", "name"])["kv_budget"].mean()
    least = {name for _, name in budgets.groupby("label").idxmin()}
    return found[found["name"].isin(least)]


SCALING = Study(
    "scaling",
    "Scaling with the context's length",
    "Median times of one question and of the index, for each length. The times are of the machine that ran "
    "the records, with the backend that they name; kernel timings on their own: python -m bench.kernels.",
    tables,
    draw,
)


def cost_tables(pool: Pool) -> dict[str, pd.DataFrame]:
    """What the index costs once, what it saves a question, and after how many tokens it has paid."""
    table = pool.table
    full = table[table["method"] == "full"].drop_duplicates("context_length")
    full = full.set_index("context_length")
    here = table[table["depth"].notna() & table["context_length"].isin(full.index)]
    if here.empty:
        return {}
    length = here["context_length"]
    per_token = length.map(full["decode_ms_per_token"]) - here["decode_ms_per_token"]
    dense = length.map(full["dense_ms"])
    cost = {
        "context_length": length,
        "method": here["label"],
        "asked": here["asked"],
        "dense prefill, ms": dense,
        "index, ms": here["index_ms"],
        "index / dense prefill": here["index_ms"] / dense,
        "index, bytes": here["index_bytes"],
        "saved a prefill, ms": length.map(full["prefill_ms"]) - here["prefill_ms"],
        "saved a token, ms": per_token,
        "pays after tokens": np.ceil((here["index_ms"] / per_token).where(per_token > 0)),
        "n": here["n"],
        "contexts": here["contexts"],
    }
    return {"": pd.DataFrame(cost)}


COST = Study(
    "cost",
    "Cost of clustering, and when it pays",
    "The index is built once for a context. Beside its time stands what it saves with every question, and "
    "after how many generated tokens the saving exceeds it; empty where nothing is saved.",
    cost_tables,
)
