"""What grows with the context: times of a question, and the cost of the index."""

import dataclasses

import numpy as np
import pandas as pd

from bench.reporting.figures import style
from bench.reporting.figures.looks import looks
from bench.reporting.statistics.pooled import Pool
from bench.reporting.studies.base import Study, at_several

TIMES = {
    "prefill_ms": "prefill of the user input, ms",
    "decode_ms_per_token": "decode, ms a token",
    "index_ms": "clustering and calibration, ms",
}
SHOWN = [
    "name",
    "context_length",
    "score",
    "kv_budget",
    *TIMES,
    "index_bytes",
    "batch",
    "n",
    "contexts",
]


def cells(pool: Pool) -> Pool:
    """Cells of methods and sizes that were run at two lengths or more; ``name``: method and size.

    Rows with lengths of their own have no place along the lengths, and are left out.
    """
    found = pool.compared(_several(pool.table[~pool.table["dense"]]))
    table = _several(found.table)
    table = table.assign(index_ms=table["index_ms"].where(table["clustered"]))
    return dataclasses.replace(found, table=table)


def _several(table: pd.DataFrame) -> pd.DataFrame:
    table = table[table["context_length"].notna()]
    name = table["label"] + ("; " + table["asked"]).where(table["asked"] != "", "")
    return at_several(table.assign(name=name), "context_length", by=("name",))


def tables(found: Pool) -> dict[str, pd.DataFrame]:
    """One row a method, size and length; times are medians over questions, each one's part of its batch."""
    cells = found.table
    full = _dense(cells)
    table = cells[SHOWN].assign(
        **{
            "prefill, times full": cells["length"].map(full["prefill_ms"]) / cells["prefill_ms"],
            "decode, times full": cells["length"].map(full["decode_ms_per_token"])
            / cells["decode_ms_per_token"],
        }
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(cells["name"]))}
    table = table.assign(order=cells["name"].map(order)).sort_values(["order", "context_length"])
    return {"": table.drop(columns="order").rename(columns={"name": "method"})}


def _dense(cells: pd.DataFrame) -> pd.DataFrame:
    """Full attention's cells by length, once each."""
    return cells[cells["dense"]].drop_duplicates("length").set_index("length")


@style.applied
def draw(found: Pool, title: str) -> style.Drawn:
    """A panel a time, along the length; of each method the size that reads least."""
    cells = _smallest(found.table)
    look = looks(cells["label"])
    lengths = sorted(cells["context_length"].unique())
    times = {column: label for column, label in TIMES.items() if cells[column].notna().any()}
    figure, grid = style.panels(1, len(times), width=3.4, height=3.0, share=False)
    for axes, (column, label) in zip(grid[0], times.items(), strict=True):
        for name, runs in cells.dropna(subset=[column]).groupby("name", sort=False):
            runs = runs.sort_values("context_length")
            drawn = look[runs["label"].iloc[0]].drawn()
            drawn["marker"] = drawn["marker"] or "."
            at = runs["context_length"].astype(int)
            axes.plot(at, runs[column], label=str(name), lw=1.2, ms=5, **drawn)
        axes.set_title(label)
        axes.set_xlabel("context, tokens")
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    figure.suptitle(f"{title}\nmedian times, {style.questions(cells)}")
    style.legend(figure)
    return style.Drawn(figure)


def _smallest(found: pd.DataFrame) -> pd.DataFrame:
    """Of each method the size that reads least."""
    budgets = found.groupby(["label", "name"])["kv_budget"].mean()
    least = {name for _, name in budgets.groupby("label").idxmin()}
    return found[found["name"].isin(least)]


SCALING = Study(
    "scaling",
    "Scaling with the context's length",
    "Median times of one question (its part, where a batch was answered together) and of the index, for each "
    "length. The times are of the machine that ran "
    "the records, with the backend that they name; kernel timings on their own: python -m bench.kernels.",
    cells,
    tables,
    draw,
)


def cost_cells(pool: Pool) -> Pool:
    """Methods with clusters at the lengths where full attention was run, on the same questions."""
    table = pool.table
    lengths = table.loc[table["dense"], "length"]
    return pool.compared(table[table["clustered"] & table["length"].isin(lengths)])


def cost_tables(found: Pool) -> dict[str, pd.DataFrame]:
    """What the index costs once, what it saves a question, and after how many tokens it has paid."""
    full = _dense(found.table)
    here = found.table[~found.table["dense"]]
    length = here["length"]
    per_token = length.map(full["decode_ms_per_token"]) - here["decode_ms_per_token"]
    dense = length.map(full["dense_ms"])
    cost = {
        "context_length": here["context_length"],
        "method": here["label"],
        "asked": here["asked"],
        "dense prefill, ms": dense,
        "index, ms": here["index_ms"],
        "index / dense prefill": here["index_ms"] / dense,
        "index, bytes": here["index_bytes"],
        "saved a prefill, ms": length.map(full["prefill_ms"]) - here["prefill_ms"],
        "saved a token, ms": per_token,
        "pays after tokens": np.ceil((here["index_ms"] / per_token).where(per_token > 0)),
        "batch": here["batch"],
        "n": here["n"],
        "contexts": here["contexts"],
    }
    return {"": pd.DataFrame(cost)}


COST = Study(
    "cost",
    "Cost of clustering, and when it pays",
    "The index is built once for a context. Beside its time stands what it saves with every question (its "
    "part, where a batch was answered together), and after how many generated tokens the saving exceeds it; "
    "empty where nothing is saved.",
    cost_cells,
    cost_tables,
)
