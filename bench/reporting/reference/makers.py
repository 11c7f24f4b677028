"""What a reference study shows, by the name that its README gives: a whole table, a narrow one, a figure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.config.errors import InputError
from bench.reporting.figures import accuracy, clustering, kernels
from bench.reporting.leaderboard.rows import leaderboard
from bench.reporting.reference.packed import read_rows, read_runs
from bench.reporting.statistics.pooled import pool
from bench.reporting.studies import STUDIES
from bench.reporting.studies.base import with_interval
from bench.reporting.tables import overview
from bench.reporting.variants import labels


@dataclass(frozen=True)
class Made:
    """A study's content.

    Attributes:
        whole: for machines. narrow: for people, at most six columns. figure: None without one.
        facts: what the records say of where they come from, by name.
    """

    whole: pd.DataFrame
    narrow: pd.DataFrame
    figure: Figure | None
    facts: dict[str, str]


def make(kind: str, records: Path) -> Made:
    """The content of a study of a kind.

    Args:
        kind: ``overview``, ``tasks``, the name of a study of ``bench.reporting.studies``, ``kernels``,
            ``clustering`` or ``harness``. records: the packed file.

    Raises:
        InputError: an unknown kind, or records that do not make it.
    """
    if kind in TIMINGS:
        return TIMINGS[kind](pd.DataFrame(read_rows(records)))
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
        return Made(overview.per_run(part), narrow(cells.table), accuracy.draw(part), facts)
    if kind == "tasks":
        return Made(overview.per_run(part), _by_task(part), accuracy.draw(part), facts)
    if kind not in STUDIES:
        known = ", ".join(["overview", "tasks", *STUDIES, *TIMINGS])
        raise InputError(f"{records}: unknown kind of study {kind!r}; known: {known}")
    study = STUDIES[kind]
    found = study.cells(cells)
    if found.table.empty:
        raise InputError(f"{records} does not make the study {kind}")
    whole = next(iter(study.tables(found).values()))
    figure = None if study.draw is None else study.draw(found, study.title).figure
    return Made(whole, narrow(found.table), figure, facts)


def narrow(table: pd.DataFrame) -> pd.DataFrame:
    """Cells of a pool in at most six columns: a row a method, and a column of scores a length.

    Args:
        table: ``bench.reporting.statistics.pooled.Pool.table``.
    """
    shown = pd.DataFrame({"method": table["label"], "asked": table["asked"].fillna("")})
    lengths = sorted(table["context_length"].dropna().unique())
    if len(lengths) < 2:
        shown["read"] = table["kv_budget"]
        shown["score (95 % CI)"] = with_interval(table, "score")
        if "delta" in table:
            shown["minus full (95 % CI)"] = with_interval(table, "delta")
        # One number of questions for all is a fact of the study (and of its CSV), and takes no column.
        return shown if table["n"].nunique() == 1 else shown.assign(n=table["n"])
    keys = ["method", "asked"]
    cells = shown.assign(
        budget=table["kv_budget"],
        length=table["context_length"],
        score=with_interval(table, "score"),
    )
    wide = cells.pivot_table(
        index=keys, columns="length", values="score", aggfunc="first", sort=False
    )
    budgets = cells.groupby(keys, sort=False)["budget"].mean()
    wide = wide.rename(columns={length: f"at {length:g} (95 % CI)" for length in lengths})
    wide.insert(0, "read", budgets)
    return wide.reset_index().rename_axis(columns=None)


def _by_task(part: pd.DataFrame) -> pd.DataFrame:
    """Scores of each subtask; as many methods as there is room for."""
    named = part.assign(label=labels(part, size=True))
    few = list(dict.fromkeys(named["label"]))[:4]
    table = overview.by_task(part)[["context_length", "subtask", *few]]
    return table.dropna(axis="columns", how="all")  # rows of a task may have lengths of their own


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
        "commit": _several(everything["commit"]),
        "machine": _several([each["device"] for each in origin if "device" in each]),
        "threads of a process": _several(threads.dropna()),
        "libraries": ", ".join(
            f"{name} {_several([each[name] for each in versions if name in each])}"
            for name in ("torch", "transformers")
            if any(name in each for each in versions)
        ),
        "measured": " to ".join(dict.fromkeys([*days[:1], *days[-1:]])),
        "n": f"{len(everything)} answers in {len(part)} runs, on "
        f"{everything['context'].nunique()} contexts",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _several(values: Any) -> str:
    return ", ".join(sorted({str(value) for value in values}))


def _kernels(rows: pd.DataFrame) -> Made:
    """Decode steps at sparsity 0.9 and depth 1: how many times as fast as what there is otherwise."""
    ours = rows[(rows["provider"] == "squeezed") & (rows["query_tokens"] == "1")]
    ours = ours[(ours["sparsity"] == "0.9") & (ours["depth"] == "1")]
    shown = pd.DataFrame(
        {
            "heads": ours["query_heads"] + "/" + ours["kv_heads"] + ", " + ours["dtype"],
            "keys": ours["context"].astype(int),
            "ms, median": ours["median_ms"].astype(float),
            "times SDPA": ours["vs_sdpa"].astype(float),
            "times the fastest dense": ours["vs_fastest_dense"].astype(float),
        }
    )
    if "source" in rows:
        shown = _over_layers(shown.assign(source=ours["source"], cpu=ours["cpu_ms"].astype(float)))
    figure = kernels.draw(rows.astype(str).to_dict("records"), "speedup")  # type: ignore[arg-type]
    facts = {
        "machine": f"{_several(rows['device'])}, {_several(rows['threads'])} threads",
        "commit": _several(rows["commit"]),
        "libraries": f"torch {_several(rows['torch'])}, {_several(rows['compiler'])}",
        "n": f"{len(rows)} timings, each the median of {rows['rounds'].astype(int).min()} rounds or more",
    }
    return Made(rows, shown, figure, facts)


def _over_layers(timed: pd.DataFrame) -> pd.DataFrame:
    """A row a source, heads and length: medians over the layers of an index, and how far they go."""
    rows = []
    keys = ["source", "heads", "keys"]
    for (source, heads, length), layers in timed.groupby(keys, sort=False):
        several = f" ({len(layers)} layers)" if len(layers) > 1 else ""
        row = {"keys of": f"{source}{several}", "heads": heads, "keys": length}
        row["ms, median (of CPU)"] = (
            f"{layers['ms, median'].median():.3f} ({layers['cpu'].median():.3f})"
        )
        for name in ("times SDPA", "times the fastest dense"):
            ratios = layers[name]
            ends = f" ({ratios.min():.2f} to {ratios.max():.2f})" if several else ""
            row[name] = f"{ratios.median():.2f}{ends}"
        rows.append(row)
    return pd.DataFrame(rows)


def _clustering(rows: pd.DataFrame) -> Made:
    """Our K-means beside scikit-learn's: inertia and processor seconds as ratios."""
    ours = rows[rows["solver"] != "scikit-learn KMeans"]
    shown = pd.DataFrame(
        {
            "keys of": ours["data"],
            "clusters": ours["clusters"].astype(int),
            "budget": ours["budget"],
            "inertia, scikit-learn = 1": ours["inertia / scikit-learn"].astype(float),
            "time, scikit-learn = 1": ours["time / scikit-learn"].astype(float),
        }
    )
    bars = pd.DataFrame(
        {
            "label": ours["data"] + ", " + ours["budget"],
            "time": ours["time / scikit-learn"].astype(float),
            "inertia": ours["inertia / scikit-learn"].astype(float),
        }
    )
    facts = {"n": f"{len(rows)} rows, each the mean of {_several(rows['seeds'])} seeds"}
    return Made(rows, shown, clustering.draw(bars), facts)


def _harness(rows: pd.DataFrame) -> Made:
    """Tasks of lm-evaluation-harness: means over documents, standard errors, and what was read."""
    found = []
    for (task, method), part in rows.groupby(["task", "method"], sort=False):
        scores = pd.DataFrame(part["scores"].tolist())
        for metric in scores:
            found.append(
                {
                    "task": task,
                    "metric": metric,
                    "method": method or f"({part['model'].iloc[0]})",
                    "read": part["kv_budget"].iloc[0],
                    "score": scores[metric].mean(),
                    "stderr": scores[metric].sem(),
                    "n": len(part),
                }
            )
    whole = pd.DataFrame(found)
    order = whole["read"].astype(float).fillna(2)
    whole = whole.assign(order=-order).sort_values(["task", "metric", "order"], kind="stable")
    whole = whole.drop(columns="order").reset_index(drop=True)
    shown = whole.assign(
        task=whole["task"] + ", " + whole["metric"],
        score=[f"{s:.3f} ({e:.3f})" for s, e in zip(whole["score"], whole["stderr"], strict=True)],
    ).rename(columns={"score": "score (standard error)"})
    facts = {
        "model": _several(rows["checkpoint"]),
        "libraries": f"lm_eval {_several(rows['lm_eval'])}, transformers {_several(rows['transformers'])}",
        "n": f"{len(rows)} answers in {rows.groupby(['task', 'method']).ngroups} cells",
    }
    return Made(whole, shown.drop(columns=["metric", "stderr"]), None, facts)


TIMINGS: dict[str, Callable[[pd.DataFrame], Made]] = {
    "kernels": _kernels,
    "clustering": _clustering,
    "harness": _harness,
}
