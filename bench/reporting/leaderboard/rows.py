"""From records to one row per run: the leaderboard."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.config.errors import InputError
from bench.config.spec import CLOSED_BOOK, digest
from bench.records.files import CONFIG, RECORDS, SUMMARY, read_json
from bench.records.stored import read_complete_records, read_identity
from bench.reporting.statistics.intervals import Interval, cluster_mean, score_mean
from bench.reporting.statistics.measured import (
    batch,
    each_part,
    lookup_budget,
    mean,
    measured_sparsity,
    numbers,
)
from bench.reporting.variants import DENSE, asked, variant

COLUMNS = (
    *("model", "task", "subtask", "context_length", "method", "depth", "sparsity", "kv_budget"),
    *("score", "score_ci_low", "score_ci_high", "full_score", "delta", "n", "prefill_ms"),
    *("decode_ms_per_token", "index_bytes", "commit"),
)
EXTRA_COLUMNS = (
    *("rule", "variant", "lookup_budget", "measured_sparsity"),
    *("delta_ci_low", "delta_ci_high", "paired_n", "contexts", "complete", "prompts"),
    *("haystack", "asked", "prepare_ms", "batch", "dtype", "device"),
    *("samples", "questions_per_context", "seed", "window", "setting", "data", "run"),
)
# What differs between the cells of one table; the label stands for the last two.
CELL = ("subtask", "label", "length", "overrides", "data")
SECONDARY = "score_"  # beginning of the columns of a task's other metrics
Run = tuple[dict[str, Any], pd.DataFrame, str]


def load_runs(runs: Path) -> list[Run]:
    """All runs with a record, sorted by folder: identity, records (one row each), folder.

    Raises:
        InputError: no such folder, or no record in it.
        RunError: a damaged record file.
    """
    if not runs.is_dir():
        raise InputError(f"no folder {runs}; run squeezed-bench run first, or give results=DIR")
    found: list[Run] = []
    for path in sorted(runs.rglob(RECORDS)):
        config = path.with_name(CONFIG)
        if not config.exists():  # one folder does not hold up the others
            text = f"left out: {path} has no {CONFIG} beside it; its run, started again, writes it"
            print(text, file=sys.stderr)
            continue
        records = read_complete_records(path)
        if records:
            identity = read_identity(config)
            found.append((identity, pd.DataFrame(records), str(path.parent.relative_to(runs))))
    if not found:
        raise InputError(f"no records in {runs}; run squeezed-bench run first, or give results=DIR")
    return found


def begun(folder: Path, runs: list[Run]) -> frozenset[str]:
    """Folders of runs that are not finished, as far as their tasks do not tell: by their summaries.

    Args:
        folder: of all runs.
    """
    found = set()
    for identity, records, run in runs:
        if identity["task"]["samples"] is None:
            summary = read_json(folder / run / SUMMARY) or {}
            found |= {run} if summary.get("examples") != len(records) else set()
    return frozenset(found)


def leaderboard(runs: list[Run], begun: Collection[str] = ()) -> pd.DataFrame:
    """One row per run, with the difference to full attention on the same rows.

    Args:
        begun: folders of runs that are not finished, whatever the number of their records says.
    """
    full = {
        pair_key(identity): records
        for identity, records, _ in runs
        if identity["method"]["name"] == DENSE
    }
    rows = [
        _row(identity, records, full.get(pair_key(identity)), folder, begun) | {"setting": setting}
        for (identity, records, folder), setting in zip(runs, settings(runs), strict=True)
    ]
    secondary = sorted({name for row in rows for name in row if name.startswith(SECONDARY)})
    secondary = [name for name in secondary if name not in COLUMNS]
    board = pd.DataFrame(rows)[[*COLUMNS, *EXTRA_COLUMNS, *secondary]]
    whole = dict.fromkeys(("context_length", "depth", "index_bytes", "window"), "Int64")
    board = board.astype(whole)
    # Full attention, then the methods with clusters, then the others.
    order = (board["method"] != DENSE) * (1 + board["depth"].isna())
    keys = ["model", "setting", "task", "subtask", "context_length", "order", "method", "rule"]
    keys += ["depth", "variant", "asked", "run"]
    board = board.assign(order=order).sort_values(keys, kind="stable")
    return board.drop(columns="order").reset_index(drop=True)


def pair_key(identity: dict[str, Any]) -> str:
    """Runs with one key were asked the same rows of the same model."""
    return digest([identity["model"], identity["task"]])


def setting_key(identity: dict[str, Any], cell: Collection[str] = CELL) -> str:
    """Runs with one key may stand in one table: same model, wording, seed and sample sizes.

    Questions asked without their contexts are a control, and no more questions of the task.

    Args:
        cell: settings of the task that cells of one table may differ in.
    """
    task = {k: v for k, v in identity["task"].items() if k not in cell}
    return digest([identity["model"], task, *(["closed book"] * is_control(identity["task"]))])[:6]


def is_control(task: dict[str, Any]) -> bool:
    """Whether the questions of a task's identity were asked without their contexts."""
    return str(task["label"]).endswith(CLOSED_BOOK)


def settings(runs: list[Run], cell: Collection[str] = CELL) -> list[str]:
    """The key of each run's setting; where a cell was asked on two versions of its data, of each version.

    Args:
        cell: as for ``setting_key``.
    """
    keys = [setting_key(identity, cell) for identity, _, _ in runs]
    tasks = [identity["task"] for identity, _, _ in runs]
    cells = [
        (key, task["name"], task["label"], task["length"])
        for key, task in zip(keys, tasks, strict=True)
    ]
    versions: dict[tuple[str, ...], set[str]] = {}
    for place, task in zip(cells, tasks, strict=True):
        versions.setdefault(place, set()).add(task.get("data") or "none")
    return [
        f"{key}-{(task.get('data') or 'none')[:4]}" if len(versions[place]) > 1 else key
        for key, place, task in zip(keys, cells, tasks, strict=True)
    ]


def paired(records: pd.DataFrame, full: pd.DataFrame | None) -> pd.DataFrame:
    """Rows that both runs have: columns ``context``, ``score`` and ``full``."""
    if full is None:
        return pd.DataFrame(columns=["context", "score", "full"])
    places = pd.Index(full["id"]).get_indexer(records["id"])  # ids are unique; -1: not there
    both = records.loc[places >= 0, ["context", "score"]].reset_index(drop=True)
    return both.assign(full=full["score"].to_numpy()[places[places >= 0]])


def _row(
    identity: dict[str, Any],
    records: pd.DataFrame,
    full: pd.DataFrame | None,
    folder: str,
    begun: Collection[str],
) -> dict[str, Any]:
    task, method, model = identity["task"], identity["method"], identity["model"]
    window = identity.get("index", {}).get("window")
    score = score_mean(records["score"], records["context"])
    both = paired(records, full)
    nothing = Interval(np.nan, np.nan, np.nan)
    delta = cluster_mean(both["score"] - both["full"], both["context"]) if len(both) else nothing
    metas = records["meta"].tolist()
    prompts, haystack = (_only(metas, name) for name in ("prompts", "haystack"))
    return {
        "model": model["name"],
        "task": task["name"],
        "subtask": task["label"],
        "context_length": task["length"],
        "method": method["name"],
        "depth": method.get("depth"),
        "sparsity": method.get("sparsity"),
        "kv_budget": mean(numbers(records["kv_budget"])),
        "score": score.mean,
        "score_ci_low": score.low,
        "score_ci_high": score.high,
        "full_score": mean(numbers(both["full"])),
        "delta": delta.mean,
        "n": len(records),
        "prefill_ms": _median(each_part(records, "prefill_ms")),
        "decode_ms_per_token": _median(each_part(records, "decode_ms_per_token")),
        "index_bytes": round(_median(numbers(records["index_bytes"]))) if "depth" in method else 0,
        "commit": "+".join(sorted(set(records["commit"]))),
        "rule": method.get("rule", ""),
        "variant": variant(identity),
        "lookup_budget": mean(lookup_budget(records).to_numpy()),
        "measured_sparsity": mean(measured_sparsity(records, window).to_numpy()),
        "delta_ci_low": delta.low,
        "delta_ci_high": delta.high,
        "paired_n": len(both),
        "contexts": records["context"].nunique(),
        "complete": folder not in begun and _complete(task, method, records),
        "prompts": prompts,
        "haystack": haystack,
        "asked": asked(method),
        "prepare_ms": _median(numbers(records["prepare_ms"])),
        "batch": batch(records),
        "dtype": model["dtype"],
        "device": model["device"],
        "samples": task["samples"],
        "questions_per_context": task["questions_per_context"],
        "seed": task["seed"],
        "window": window,
        "data": task.get("data"),
        **_secondary(records),
        "run": folder,
    }


def _secondary(records: pd.DataFrame) -> dict[str, float]:
    """Means of the metrics beside the score; a metric that only some rows have, over those."""
    if "metrics" not in records:
        return {}
    # Records of an older version may have none beside records that have some.
    found = [each if isinstance(each, dict) else {} for each in records["metrics"]]
    names = dict.fromkeys(name for each in found for name in each if name != "score")
    return {
        f"{SECONDARY}{name}": mean(np.array([each.get(name, np.nan) for each in found], float))
        for name in names
    }


def _complete(task: dict[str, Any], method: dict[str, Any], records: pd.DataFrame) -> bool:
    """Whether all rows are there, as far as the task says how many there are."""
    samples, each = task["samples"], task["questions_per_context"]
    if samples is None:
        return True
    # A set of rows has unequal numbers of them a context; a context that is missing lacks them all.
    own = each is None or is_control(task)
    contexts = records["context"].nunique() if own else samples
    kept_back = contexts * method.get("calibration_inputs", 0)
    return len(records) == samples * (each or 1) - kept_back


def _median(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else float("nan")


def _only(metas: list[dict[str, Any]], name: str) -> str:
    """The value of a ``meta`` field, the same in all records; several are joined and so show."""
    values = {str(meta[name]) for meta in metas if meta.get(name)}
    return "+".join(sorted(values))
