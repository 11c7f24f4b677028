"""Results tables for people: CSV, Markdown and the terminal."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.config.spec import CLOSED_BOOK, file_name
from bench.reporting.leaderboard.rows import COLUMNS, SECONDARY
from bench.reporting.output import write_table
from bench.reporting.variants import METHOD, labels

PER_RUN = ["subtask", "context_length", *METHOD, "kv_budget", "lookup_budget"]
PER_RUN += ["measured_sparsity", "score", "score 95 % CI"]
PER_RUN += ["delta", "delta 95 % CI", "n", "contexts", "complete", "prefill_ms"]
PER_RUN += ["decode_ms_per_token", "index_bytes"]


def groups(board: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Named parts of the leaderboard that may stand in one table: never two wordings or settings.

    A name is ``model-task-prompts-CONTEXTSxQUESTIONS``, then ``closed_book`` for the control, and the
    setting's hash behind it where that is not unique. It does not depend on what else was run, so that
    links to the files stay.
    """
    keys = ["model", "task", "prompts", "setting"]
    parts = [_whole_lengths(part) for _, part in board.groupby(keys, sort=True)]
    names = [_name(part.iloc[0]) for part in parts]
    return [
        (file_name(name if names.count(name) == 1 else f"{name}-{part.iloc[0]['setting']}"), part)
        for name, part in zip(names, parts, strict=True)
    ]


def per_run(part: pd.DataFrame) -> pd.DataFrame:
    """One row per run, with intervals as text."""
    table = part.assign(
        **{
            "score 95 % CI": _interval(part, "score"),
            "delta 95 % CI": _interval(part, "delta"),
        }
    )
    metrics = [name for name in table if str(name).startswith(SECONDARY)]
    present = [name for name in metrics if name not in COLUMNS and table[name].notna().any()]
    return table[[*PER_RUN, *present]]


def overview(part: pd.DataFrame) -> pd.DataFrame:
    """One row per method and size, one column of scores per subtask and length, and the means.

    The mean is empty where a method has not been run on everything that stands in the table.
    """
    part = part.assign(depth=part["depth"].fillna(0), cell=_cell(part))
    first = part.groupby(METHOD, sort=False).ngroup()
    scores = part.assign(order=first).pivot_table(
        index=["order", *METHOD], columns="cell", values="score", sort=False
    )[list(dict.fromkeys(part["cell"]))]
    means = part.assign(order=first).groupby(["order", *METHOD])["kv_budget"].mean()
    table = scores.assign(mean=scores.mean(axis=1, skipna=False)).sort_index()
    table.insert(0, "kv_budget", means)
    table = table.reset_index().drop(columns="order")
    table["depth"] = table["depth"].replace(0, pd.NA)
    return table


def by_task(part: pd.DataFrame) -> pd.DataFrame:
    """The overview the other way: one row per subtask and length, one column of scores per method and size.

    Below each length's subtasks stands their mean; it is empty where one of them is missing.
    """
    part = part.assign(method=labels(part, size=True))
    keys, columns = ["context_length", "subtask"], list(dict.fromkeys(part["method"]))
    parts = []
    for _, runs in part.groupby("context_length", sort=True, dropna=False):
        scores = runs.pivot_table(
            index=keys, columns="method", values="score", sort=False, dropna=False
        ).reindex(columns=columns)
        scores = scores.dropna(how="all").reset_index()
        mean = scores[columns].mean(skipna=False)
        parts += [
            scores,
            pd.DataFrame([{**mean, keys[0]: scores[keys[0]].iloc[0], keys[1]: "mean"}]),
        ]
    return pd.concat(parts, ignore_index=True)[[*keys, *columns]]


def write(board: pd.DataFrame, folder: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Writes ``NAME`` (per run), ``NAME-overview`` and ``NAME-tasks`` as CSV and Markdown, and ``formats``.

    Returns:
        The paths.
    """
    written = []
    for name, part in groups(board):
        parts = {"": per_run(part), "-overview": overview(part)}
        if part["context_length"].notna().all():
            parts["-tasks"] = by_task(part)
        for suffix, table in parts.items():
            written += write_table(table, folder, f"{name}{suffix}", formats)
    return written


def _whole_lengths(part: pd.DataFrame) -> pd.DataFrame:
    """Lengths as integers; a group elsewhere in the board that has none makes all of them floats."""
    lengths = part["context_length"]
    return part.assign(context_length=lengths.astype(int)) if lengths.notna().all() else part


def _name(row: pd.Series) -> str:
    """For instance ``mini-ruler-suite-8x15``; without sizes where the data tell them."""
    sizes = [f"{row[n]:g}" for n in ("samples", "questions_per_context") if pd.notna(row[n])]
    parts = [row["model"], row["task"], row["prompts"], "x".join(sizes)]
    control = CLOSED_BOOK if row["subtask"].endswith(CLOSED_BOOK) else ""
    return "-".join(str(part) for part in parts if part) + control


def _cell(part: pd.DataFrame) -> pd.Series:
    # Rows with lengths of their own have no length in common.
    lengths = part["context_length"].map(lambda n: "" if pd.isna(n) else f" {int(n)}")
    return part["subtask"].astype(str) + lengths.astype(str)


def _interval(part: pd.DataFrame, name: str) -> list[str]:
    bounds = zip(part[f"{name}_ci_low"], part[f"{name}_ci_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:.3f} to {high:.3f}" for low, high in bounds]
