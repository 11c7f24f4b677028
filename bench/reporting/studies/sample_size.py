"""Effect of n: how sure the difference from full attention is, as more contexts are asked."""

import dataclasses

import pandas as pd

from bench.reporting.statistics.compare import effect_of_n, is_noise
from bench.reporting.statistics.pooled import CELL, Pool
from bench.reporting.studies.base import Study

LEAST = 4  # contexts, below which there is nothing to see


def cells(pool: Pool) -> Pool:
    """Cells with enough contexts that full attention has answered too; each for itself, none is compared."""
    contexts = {
        cell: examples.loc[examples["full"].notna(), "context"].nunique()
        for cell, examples in pool.examples.items()
    }
    enough = pool.table[CELL].map(contexts) >= LEAST
    return dataclasses.replace(pool, table=pool.table[enough & ~pool.table["dense"]])


def tables(found: Pool) -> dict[str, pd.DataFrame]:
    """One row for each length, method, size and number of contexts."""
    rows = []
    for cell in found.table.to_dict("records"):
        examples = found.examples[cell[CELL]]
        paired = examples[examples["full"].notna()]
        # The subtasks in turn, so that a few contexts are of all of them.
        turn = paired.groupby("subtask")["context"].transform(lambda part: pd.factorize(part)[0])
        paired = paired.assign(turn=turn).sort_values(["turn", "subtask"], kind="stable")
        for contexts, delta in effect_of_n(paired["score"] - paired["full"], paired["context"]):
            head = {"context_length": cell["context_length"], "method": cell["label"]}
            interval = {"low": delta.low, "high": delta.high, "width": delta.high - delta.low}
            noise = is_noise(delta, contexts)
            measured = {"contexts": contexts, "minus full": delta.mean, **interval}
            rows.append({**head, "asked": cell["asked"], **measured, "inside noise": noise})
    return {"": pd.DataFrame(rows).astype({"context_length": "Int64"})}


SAMPLE_SIZE = Study(
    "n",
    "Effect of the number of contexts",
    "The difference from full attention and its 95 % interval with 2, 4, 8, ... contexts. A difference whose "
    "interval holds 0 is inside the noise at that size.",
    cells,
    tables,
)
