"""Scores beside measured KV budgets: one table of all results that the harness has written below a folder."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.output import as_markdown
from bench.reporting.reference.harness import scored
from bench.reporting.reference.packed import write_rows

NO_FILTER = "none"
SAME = ("model", "checkpoint", "method", "task", "metric")
# Model arguments that are told elsewhere, or say nothing.
PLACES = ("pretrained", "records", "cache_dir")


def print_table(arguments: Sequence[str]) -> None:
    """Prints the table of a folder.

    Raises:
        InputError: no folder, or no results in it.
    """
    if len(arguments) != 1:
        raise InputError(
            "give one folder: squeezed-bench lm_eval table FOLDER (lm_eval's --output_path)"
        )
    print(as_markdown(table(Path(arguments[0]))))


def table(folder: Path) -> pd.DataFrame:
    """One row a result, task and metric: model, checkpoint, method, measured ``kv_budget``, score, standard
    error, n.

    Runs of other models than ``squeezed`` have no method, and no budget was measured. Groups of tasks have no
    n. A filter of the answers other than ``none`` stands behind the metric. Model arguments and numbers of
    examples in which rows differ that are else alike have columns of their own; of runs that are alike in
    all of them the last one counts.

    Raises:
        InputError: no results below the folder, or a file that is none.
    """
    files = sorted(folder.rglob("results_*.json"))
    if not files:
        raise InputError(
            f"no results_*.json below {folder}; lm_eval writes them with --output_path"
        )
    known: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
    for path in files:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            for row, settings in _rows(found):
                known[json.dumps([[row[name] for name in SAME], settings], sort_keys=True)] = (
                    row,
                    settings,
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no file of results of lm_eval: {error!r}") from error
    names = _differing(list(known.values()))
    rows = [row | {name: given.get(name, "") for name in names} for row, given in known.values()]
    found_all = pd.DataFrame(rows).astype({"n": "Int64"})
    return found_all.sort_values(["task", "metric"], kind="stable", ignore_index=True)


def _differing(rows: list[tuple[dict[str, Any], dict[str, str]]]) -> list[str]:
    """Names of the settings in which rows differ that are else the same result."""
    alike: dict[tuple[Any, ...], list[dict[str, str]]] = {}
    for row, settings in rows:
        alike.setdefault(tuple(row[name] for name in SAME), []).append(settings)
    names = dict.fromkeys(name for _, settings in rows for name in settings)
    return [
        name
        for name in names
        if any(len({given.get(name) for given in each}) > 1 for each in alike.values())
    ]


def pack(arguments: Sequence[str]) -> None:
    """Writes what ``--log_samples`` kept of each document into one file, for a reference study.

    Raises:
        InputError: not a folder and a file, or no samples.
    """
    if len(arguments) != 2:
        raise InputError(
            "give a folder and a file: squeezed-bench lm_eval pack FOLDER FILE.parquet"
        )
    rows = documents(Path(arguments[0]))
    print(f"wrote {write_rows(rows, Path(arguments[1]))}: {len(rows)} documents")


def documents(folder: Path) -> list[dict[str, Any]]:
    """One row a document of every run below a folder, without the document itself.

    Raises:
        InputError: no samples.
    """
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("results_*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        own = found["config"].get("squeezed") or {}
        for task in found["results"]:
            name = path.name.replace("results_", f"samples_{task}_", 1) + "l"
            samples = path.with_name(name)
            if not samples.exists():
                continue
            budget = own.get("tasks", {}).get(task, {}).get("kv_budget")
            by_document: dict[
                Any, dict[str, Any]
            ] = {}  # which has a line for each filter of the answers
            for line in samples.read_text(encoding="utf-8").splitlines():
                sample = json.loads(line)
                scores = {
                    _metric(name, sample.get("filter", NO_FILTER)): float(sample[name])
                    for name in sample["metrics"]
                }
                row = by_document.setdefault(
                    sample["doc_id"],
                    {
                        "task": task,
                        "document": sample["doc_id"],
                        "model": found["config"]["model"],
                        "method": own.get("method", ""),
                        "kv_budget": budget,
                        "answer": json.dumps(sample["filtered_resps"]),
                        "scores": {},
                        "checkpoint": _checkpoint(found["config"]),
                        "lm_eval": found["lm_eval_version"],
                        "transformers": found["transformers_version"],
                    },
                )
                row["scores"] |= scores
            rows += by_document.values()
    if not rows:
        raise InputError(f"no samples below {folder}; lm_eval writes them with --log_samples")
    return rows


def _rows(found: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Rows, and the settings of each that have no column."""
    own = found["config"].get("squeezed") or {}
    for task, scores in found["results"].items():
        settings = _settings(found, task)
        for name, value in scores.items():
            metric, comma, kind = name.partition(",")
            if not comma or metric.endswith("_stderr") or not scored(metric, [value]):
                continue
            error = scores.get(f"{metric}_stderr,{kind}")
            row = {
                "task": task,
                "metric": _metric(metric, kind),
                "model": found["config"]["model"],
                "checkpoint": _checkpoint(found["config"]),
                "method": own.get("method", ""),
                "kv_budget": own.get("tasks", {}).get(task, {}).get("kv_budget"),
                "score": value,
                "stderr": error if isinstance(error, float) else None,
                "n": found.get("n-samples", {}).get(task, {}).get("effective"),
            }
            yield row, settings


def _metric(name: str, kind: str) -> str:
    """A metric's name, with the filter of the answers that it is of."""
    return name if kind == NO_FILTER else f"{name},{kind}"


def _arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The model arguments; versions of the harness write them as a dictionary, or as they were given."""
    given = config.get("model_args") or {}
    if isinstance(given, dict):
        return given
    pairs = (part.partition("=") for part in re.split(r",(?=\w+=)", str(given)))
    return {name: value for name, _, value in pairs}


def _checkpoint(config: dict[str, Any]) -> str:
    return Path(str(_arguments(config).get("pretrained", ""))).name


def _settings(found: dict[str, Any], task: str) -> dict[str, str]:
    """What may differ between results of one method on one checkpoint, as text."""
    config = found["config"]
    own = config.get("squeezed") or {}
    known = {name: each for name, each in _arguments(config).items() if name not in PLACES}
    known |= {name: own[name] for name in ("window", "levels") if name in own}
    known |= {"limit": config.get("limit"), "shots": found.get("n-shot", {}).get(task)}
    return {
        name: each if isinstance(each, str) else json.dumps(each) for name, each in known.items()
    }
