"""Cells of the studies: one method, one size, one length; the questions of all its subtasks together.

Cells stand side by side only over the same questions: ``Pool.compared`` is the one place that sees to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.reporting.statistics.common import choose
from bench.reporting.statistics.compare import Comparison, compare
from bench.reporting.statistics.examples import examples
from bench.reporting.statistics.intervals import Interval, score_mean
from bench.reporting.statistics.measured import batch
from bench.reporting.variants import DENSE, METHOD, labels, lengths

KEYS = ["context_length", *METHOD]
CELL = "cell"  # column that names a cell's examples
MEANS = ("kv_budget", "lookup_budget", "measured_sparsity")
MEDIANS = ("prefill_ms", "decode_ms_per_token", "dense_ms", "index_ms", "index_bytes")
COUNTS = ("n", "contexts")  # which a blank cell keeps


@dataclass(frozen=True)
class Pool:
    """All cells of runs that may be compared.

    Attributes:
        table: one row a cell, in the leaderboard's order: ``KEYS``, ``length`` (in words; rows with lengths
            of their own have one too), ``label`` (the method without its size), ``size`` (the number that was
            asked for), ``dense`` (full attention), ``clustered`` (the method has levels of clusters),
            ``tasks``, ``complete`` (all runs are finished), ``counted`` (it is known beforehand how many
            questions there are), and the measurements of ``measure``.
        examples: by cell, one row a question, as ``statistics.examples``.
        notes: what a reader of the table must know, a sentence each.
    """

    table: pd.DataFrame
    examples: dict[int, pd.DataFrame]
    notes: tuple[str, ...] = ()

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

    def beside(self, label: str) -> pd.DataFrame:
        """Each cell minus that of ``label`` which was asked for the same at its length, question by question.

        Returns:
            ``delta``, ``delta_ci_low`` and ``delta_ci_high``, with the index of ``table``; NaN in cells
            without measurements, in that cell itself, and where there is none or it has none.
        """
        rows = self.table.to_dict("records")
        references = {
            (row["length"], row["asked"]): row[CELL]
            for row in rows
            if row["label"] == label and pd.notna(row["score"])
        }
        found = []
        for row in rows:
            reference = references.get((row["length"], row["asked"]))
            delta = Interval(np.nan, np.nan, np.nan)
            if reference is not None and reference != row[CELL] and pd.notna(row["score"]):
                against = self.against(row[CELL], reference)
                delta = delta if against is None else against.delta
            found.append((delta.mean, delta.low, delta.high))
        names = ["delta", "delta_ci_low", "delta_ci_high"]
        return pd.DataFrame(found, columns=names, index=self.table.index)

    def compared(self, cells: pd.DataFrame) -> "Pool":
        """These cells and full attention at their lengths, measured on the same questions of each length.

        The tasks are those on which most can be compared (cells times tasks). A cell that lacks one of them,
        or a question of theirs, keeps its row and its counts, and its measurements are blank. A method that
        keeps questions for its calibration has fewer by design: then all are measured on what it has.
        ``notes`` say what is blank and what was left out.

        Args:
            cells: rows of ``table``, perhaps with more columns, or with other labels.
        """
        cells = cells[~cells["dense"]]
        full = self.table[self.table["dense"] & self.table["length"].isin(cells["length"])]
        rows, found, notes = [], {}, []
        for length, here in by_length(pd.concat([full, cells]) if len(full) else cells):
            common = choose(here, self.examples)
            notes += [f"{length}: {note}" for note in common.notes]
            for cell, given in zip(here[CELL], here.to_dict("records"), strict=True):
                row: dict[Any, Any] = dict(given)
                kept = self.examples[cell]
                whole = len(kept)
                kept = kept[kept["example"].isin(common.questions)]
                if common.dense_is_blank:
                    kept = kept.assign(full=np.nan)
                if cell in common.blank or kept.empty:
                    row |= _blank(row)
                elif len(kept) < whole or common.dense_is_blank:
                    row |= _blank(row) | measure(kept) | {"tasks": kept["subtask"].nunique()}
                rows.append(row)
                found[cell] = kept
        table = pd.DataFrame(rows, columns=cells.columns) if rows else cells
        return Pool(_typed(table), found, tuple(notes))


def pool(part: pd.DataFrame, records: Mapping[str, pd.DataFrame]) -> Pool:
    """Pools the runs of one group of ``bench.reporting.tables.overview``.

    Args:
        part: rows of the leaderboard. records: by run folder, one row a record.
    """
    dense = part.loc[part["method"] == DENSE, ["subtask", "context_length", "run"]]
    full = {
        (subtask, _key(length)): records[run]
        for subtask, length, run in dense.itertuples(index=False)
    }
    rows, found = [], {}
    by_place = part.reset_index(drop=True)  # its rows as dictionaries, made for all groups at once
    given = by_place.to_dict("records")
    for number, (key, runs) in enumerate(by_place.groupby(KEYS, sort=False, dropna=False)):
        frames = [
            examples(
                run,
                records[run["run"]],
                full.get((run["subtask"], _key(run["context_length"]))),
            )
            for run in (given[place] for place in runs.index)
        ]
        found[number] = pd.concat(frames, ignore_index=True)
        row = dict(zip(KEYS, key, strict=True))
        row |= {
            CELL: number,
            "tasks": runs["subtask"].nunique(),
            "complete": bool(runs["complete"].all()),
            "counted": bool(runs["samples"].notna().all()),
        }
        rows.append(row | measure(found[number]))
    table = pd.DataFrame(rows)
    return Pool(
        _typed(table).assign(
            length=lengths(table),
            label=labels(table),
            size=pd.to_numeric(table["asked"].str.split().str[-1]),
            dense=table["method"] == DENSE,
            clustered=table["depth"].notna(),
        ),
        found,
    )


def by_length(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each length, short ones first; rows with lengths of their own are the last part."""
    order = table.sort_values("context_length", kind="stable")["length"].unique()
    return [(str(length), table[table["length"] == length]) for length in order]


def measure(examples: pd.DataFrame) -> dict[str, Any]:
    """The measurements of one cell: means over its questions, medians of times."""
    score = score_mean(examples["score"], examples["context"])
    found: dict[str, Any] = {
        "n": len(examples),
        "contexts": examples["context"].nunique(),
        "batch": batch(examples),
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
    found |= {name: examples[name].mean() for name in MEANS}
    return found | {name: examples[name].median() for name in MEDIANS}


def _blank(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The measurements of a cell without any; its counts stay."""
    compared = ("full_score", "delta", "delta_ci_low", "delta_ci_high", "p_sign", "p_wilcoxon")
    alone = ("score", "score_ci_low", "score_ci_high", "empty", "identical", *MEANS, *MEDIANS)
    blank: dict[str, Any] = {name: np.nan for name in (*alone, *compared) if name in row}
    return blank | ({"inside_noise": None} if "inside_noise" in row else {})


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers stay whole beside cells that have none."""
    return table.astype(dict.fromkeys(("context_length", "depth"), "Int64"))


def _key(length: Any) -> int | None:
    """A length as a key: one that is no number equals none, itself included."""
    return None if pd.isna(length) else int(length)
