"""The questions behind a run's numbers: one row each, with full attention's score beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.reporting.statistics.measured import (
    each_part,
    lookup_budget,
    measured_sparsity,
    numbers,
)

TIMES = ("prefill_ms", "decode_ms_per_token")  # of all questions that were answered together
OF_THE_CONTEXT = ("prepare_ms", "dense_ms", "index_bytes")


def examples(
    run: Mapping[Any, Any], records: pd.DataFrame, full: pd.DataFrame | None
) -> pd.DataFrame:
    """One row a question of a run.

    Args:
        run: its row of the leaderboard. full: records of full attention on the same rows, if there are any.

    Returns:
        ``example`` and ``context`` (unique over subtasks), ``score``, ``full`` (NaN without a dense run),
        ``same`` and ``empty`` (of the prediction), budgets, and times: of questions
        answered together, a ``batch``, each one's part.
    """
    window = None if pd.isna(run["window"]) else int(run["window"])
    nothing = pd.Series(np.nan, index=records.index)
    said = records.get("prediction", nothing)
    subtask, ids = run["subtask"], records["id"].tolist()
    table = pd.DataFrame(
        {
            "id": records["id"],
            "subtask": subtask,
            "example": [f"{subtask} {each}" for each in ids],
            "context": [f"{subtask} {each}" for each in records["context"].tolist()],
            "score": numbers(records["score"]),
            "prediction": said,
            "empty": [str(text).strip() == "" for text in said.tolist()],
            "kv_budget": records["kv_budget"],
            "lookup_budget": lookup_budget(records),
            "measured_sparsity": measured_sparsity(records, window),
            "batch": records.get("batch", nothing),
            **{name: each_part(records, name) if name in records else nothing for name in TIMES},
            **{
                name: numbers(records[name]) if name in records else nothing
                for name in OF_THE_CONTEXT
            },
        }
    )
    table["index_ms"] = table["prepare_ms"] - table["dense_ms"]
    if full is None:
        return table.assign(full=np.nan, same=np.nan)
    places = pd.Index(full["id"]).get_indexer(records["id"])  # ids are unique; -1: not there
    found = full.iloc[places]
    there = places >= 0
    same: Any = np.nan
    if "prediction" in full:
        same = there & (table["prediction"].to_numpy() == found["prediction"].to_numpy())
    scores = found["score"].to_numpy(dtype=float)
    return table.assign(full=np.where(there, scores, np.nan), same=same)
