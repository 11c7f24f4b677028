"""Cells of the studies: one method, one size, one length; the questions of all its subtasks together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.reporting.statistics.compare import Comparison, compare
from bench.reporting.statistics.intervals import cluster_mean
from bench.reporting.statistics.measured import lookup_budget, measured_sparsity
from bench.reporting.variants import METHOD, labels

KEYS = ["context_length", *METHOD]
CELL = "cell"  # column that names a cell's examples


@dataclass(frozen=True)
class Pool:
    """All cells of runs that may be compared.

    Attributes:
        table: one row a cell, in the leaderboard's order: ``KEYS``, ``label`` (the method without its size),
            ``size`` (the number that was asked for), ``tasks`` and ``complete`` (all runs are finished), and
            the measurements of ``measure``.
        examples: by cell, one row a question: ``example`` and ``context`` (unique over subtasks), ``score``,
            ``full`` (NaN without a dense run), ``same`` and ``empty`` (of the prediction), budgets.
    """

    table: pd.DataFrame
    examples: dict[int, pd.DataFrame]

    def against(self, ours: int, reference: int) -> Comparison | None:
        """Two cells compared on the questions that both have; None without any."""
        both = self.examples[ours].merge(
            self.examples[reference][["example", "score"]],
            on="example",
            suffixes=("", "_reference"),
        )
        if both.empty:
            return None
        return compare(both["score"], both["score_reference"], both["context"])


def pool(part: pd.DataFrame, records: Mapping[str, pd.DataFrame]) -> Pool:
    """Pools the runs of one group of ``bench.reporting.tables.overview``.

    Args:
        part: rows of the leaderboard. records: by run folder, one row a record.
    """
    dense = part.loc[part["method"] == "full", ["subtask", "context_length", "run"]]
    full = {
        (subtask, length): records[run] for subtask, length, run in dense.itertuples(index=False)
    }
    rows, examples = [], {}
    for number, (key, runs) in enumerate(part.groupby(KEYS, sort=False, dropna=False)):
        frames = [
            _examples(run, records[run["run"]], full.get((run["subtask"], run["context_length"])))
            for run in runs.to_dict("records")
        ]
        examples[number] = pd.concat(frames, ignore_index=True)
        row = dict(zip(KEYS, key, strict=True))
        row |= {
            CELL: number,
            "tasks": runs["subtask"].nunique(),
            "complete": runs["complete"].all(),
        }
        rows.append(row | measure(examples[number]))
    table = pd.DataFrame(rows)
    size = pd.to_numeric(table["asked"].str.split().str[-1])
    return Pool(table.assign(label=labels(table), size=size), examples)


def measure(examples: pd.DataFrame) -> dict[str, Any]:
    """The measurements of one cell: means over its questions, medians of times."""
    score = cluster_mean(examples["score"], examples["context"])
    found: dict[str, Any] = {
        "n": len(examples),
        "contexts": examples["context"].nunique(),
        "score": score.mean,
        "score_ci_low": score.low,
        "score_ci_high": score.high,
    }
    paired = examples[examples["full"].notna()]
    if len(paired):
        against = compare(paired["score"], paired["full"], paired["context"])
        found |= {
            "full_score": paired["full"].mean(),
            "delta": against.delta.mean,
            "delta_ci_low": against.delta.low,
            "delta_ci_high": against.delta.high,
            "p_sign": against.p_sign,
            "p_wilcoxon": against.p_wilcoxon,
            "inside_noise": against.inside_noise,
            "identical": paired["same"].mean(),
        }
    found["empty"] = examples["empty"].mean()
    means = ("kv_budget", "lookup_budget", "measured_sparsity")
    medians = ("prefill_ms", "decode_ms_per_token", "dense_ms", "index_ms", "index_bytes")
    found |= {name: examples[name].mean() for name in means}
    return found | {name: examples[name].median() for name in medians}


def _examples(
    run: Mapping[Any, Any], records: pd.DataFrame, full: pd.DataFrame | None
) -> pd.DataFrame:
    window = None if pd.isna(run["window"]) else int(run["window"])
    nothing = pd.Series(np.nan, index=records.index)
    said = records.get("prediction", nothing)
    table = pd.DataFrame(
        {
            "id": records["id"],
            "subtask": run["subtask"],
            "example": run["subtask"] + " " + records["id"],
            "context": run["subtask"] + " " + records["context"],
            "score": records["score"].astype(float),
            "prediction": said,
            "empty": [str(text).strip() == "" for text in said],
            "kv_budget": records["kv_budget"],
            "lookup_budget": lookup_budget(records),
            "measured_sparsity": measured_sparsity(records, window),
            **{
                name: pd.to_numeric(records[name]) if name in records else nothing
                for name in (
                    "prefill_ms",
                    "decode_ms_per_token",
                    "prepare_ms",
                    "dense_ms",
                    "index_bytes",
                )
            },
        }
    )
    table["index_ms"] = table["prepare_ms"] - table["dense_ms"]
    if full is None:
        return table.assign(full=np.nan, same=np.nan)
    columns = ["id", "score"] + (["prediction"] if "prediction" in full else [])
    reference = full[columns].rename(columns={"score": "full", "prediction": "full_prediction"})
    table = table.merge(reference, on="id", how="left")
    same = table["prediction"] == table["full_prediction"] if "full_prediction" in table else np.nan
    return table.assign(same=same)
