"""What a reference study shows, by the name that its README gives: a whole table, a narrow one, a figure."""

from pathlib import Path

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.figures import accuracy
from bench.reporting.leaderboard.rows import leaderboard
from bench.reporting.reference.made import Made, several
from bench.reporting.reference.packed import read_rows, read_runs
from bench.reporting.reference.tables import TABLES
from bench.reporting.statistics.pooled import Pool, pool
from bench.reporting.studies import STUDIES
from bench.reporting.studies.base import ORACLE, with_interval
from bench.reporting.tables import overview
from bench.reporting.variants import labels


def make(kind: str, records: Path) -> Made:
    """The content of a study of a kind.

    Args:
        kind: ``overview``, ``tasks``, ``methods``, the name of a study of ``bench.reporting.studies``, or
            one of ``TABLES``. records: the packed file.

    Raises:
        InputError: an unknown kind, or records that do not make it.
    """
    if kind in TABLES:
        return TABLES[kind](pd.DataFrame(read_rows(records)))
    runs = read_runs(records)
    board = leaderboard(runs)
    parts = overview.groups(board)
    if len(parts) > 1:
        names = ", ".join(name for name, _ in parts)
        raise InputError(f"{records} holds runs that may not stand in one table: {names}")
    ((_, part),) = parts
    tables = {folder: table for _, table, folder in runs}
    facts = _facts(part, tables)
    cells = pool(part, tables)
    if kind == "overview":
        return Made(overview.per_run(part), narrow(cells), accuracy.draw(part), facts)
    if kind == "tasks":
        return Made(overview.per_run(part), _by_task(part), accuracy.draw(part), facts)
    if kind == "methods":
        return Made(overview.per_run(part), _by_method(part), accuracy.draw(part), facts)
    if kind not in STUDIES:
        known = ", ".join(["overview", "tasks", "methods", *STUDIES, *TABLES])
        raise InputError(f"{records}: unknown kind of study {kind!r}; known: {known}")
    study = STUDIES[kind]
    found = study.cells(cells)
    if found.table.empty:
        raise InputError(f"{records} does not make the study {kind}")
    whole = next(iter(study.tables(found).values()))
    figure = None if study.draw is None else study.draw(found, study.title).figure
    return Made(whole, narrow(found), figure, facts)


def narrow(cells: Pool) -> pd.DataFrame:
    """Cells in a few columns: a row a method, and a column of scores a length."""
    table = cells.table
    shown = pd.DataFrame({"method": table["label"], "asked": table["asked"].fillna("")})
    lengths = sorted(table["context_length"].dropna().unique())
    if len(lengths) < 2:
        shown["read"] = table["kv_budget"]
        shown["score (95 % CI)"] = with_interval(table, "score")
        if "delta" in table:
            shown["minus full (95 % CI)"] = with_interval(table, "delta")
        beside = cells.beside(ORACLE)
        if beside["delta"].notna().any():
            shown["minus oracle (95 % CI)"] = with_interval(beside, "delta")
        # One number of questions for all is a fact of the study (and of its CSV), and takes no column.
        return shown if table["n"].nunique() == 1 else shown.assign(n=table["n"])
    keys = ["method", "asked"]
    placed = shown.assign(
        budget=table["kv_budget"],
        length=table["context_length"],
        score=with_interval(table, "score"),
    )
    wide = placed.pivot_table(
        index=keys, columns="length", values="score", aggfunc="first", sort=False
    )
    budgets = placed.groupby(keys, sort=False)["budget"].mean()
    wide = wide.rename(columns={length: f"at {length:g} (95 % CI)" for length in lengths})
    wide.insert(0, "read", budgets)
    return wide.reset_index().rename_axis(columns=None)


def _by_task(part: pd.DataFrame) -> pd.DataFrame:
    """Scores of each subtask; as many methods as there is room for."""
    named = part.assign(label=labels(part, size=True))
    few = list(dict.fromkeys(named["label"]))[:4]
    table = overview.by_task(part)[["context_length", "subtask", *few]]
    return table.dropna(axis="columns", how="all")  # rows of a task may have lengths of their own


def _by_method(part: pd.DataFrame) -> pd.DataFrame:
    """A row a method and size, a column a subtask, where few subtasks have many methods."""
    named = part.assign(method=labels(part, size=True))
    rows = named.groupby("method", sort=False)
    wide = named.pivot_table(index="method", columns="subtask", values="score", sort=False)
    wide.insert(0, "read", rows["kv_budget"].mean())
    return wide.assign(mean=wide.iloc[:, 1:].mean(axis=1)).reset_index().rename_axis(columns=None)


def _facts(part: pd.DataFrame, records: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Where the records come from; what records of an older version do not say is left out."""
    everything = pd.concat([records[run] for run in part["run"]], ignore_index=True)
    origin, versions = (
        [each for each in everything.get(name, ()) if isinstance(each, dict)]
        for name in ("provenance", "versions")
    )
    threads, times = (everything.get(name, pd.Series(dtype=object)) for name in ("threads", "time"))
    days = sorted({str(time)[:10] for time in times.dropna()})
    facts = {
        "model": ", ".join(sorted({f"{row.model}, {row.dtype}" for row in part.itertuples()})),
        "commit": several(everything["commit"]),
        "machine": several([each["device"] for each in origin if "device" in each]),
        "threads of a process": several(threads.dropna()),
        "libraries": ", ".join(
            f"{name} {several([each[name] for each in versions if name in each])}"
            for name in ("torch", "transformers")
            if any(name in each for each in versions)
        ),
        "measured": " to ".join(dict.fromkeys([*days[:1], *days[-1:]])),
        "n": f"{len(everything)} answers in {len(part)} runs, on "
        f"{everything['context'].nunique()} contexts",
    }
    return {name: fact for name, fact in facts.items() if fact}
