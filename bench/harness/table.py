"""Scores beside measured KV budgets: one table of all results that the harness has written below a folder."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.output import as_markdown
from bench.reporting.reference.harness import scored
from bench.reporting.reference.packed import write_rows


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
    """One row a result, task and metric: model, method, measured ``kv_budget``, score, standard error, n.

    Runs of other models than ``squeezed`` have no method, and no budget was measured.

    Raises:
        InputError: no results below the folder, or a file that is none.
    """
    files = sorted(folder.rglob("results_*.json"))
    if not files:
        raise InputError(
            f"no results_*.json below {folder}; lm_eval writes them with --output_path"
        )
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in files:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            for row in _rows(found):
                rows[tuple(row[name] for name in ("model", "method", "task", "metric"))] = row
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no file of results of lm_eval: {error!r}") from error
    return pd.DataFrame(rows.values()).sort_values(
        ["task", "metric"], kind="stable", ignore_index=True
    )


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
    rows = []
    for path in sorted(folder.rglob("results_*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        own = found["config"].get("squeezed") or {}
        for task in found["results"]:
            name = path.name.replace("results_", f"samples_{task}_", 1) + "l"
            samples = path.with_name(name)
            if not samples.exists():
                continue
            budget = own.get("tasks", {}).get(task, {}).get("kv_budget")
            for line in samples.read_text(encoding="utf-8").splitlines():
                sample = json.loads(line)
                rows.append(
                    {
                        "task": task,
                        "document": sample["doc_id"],
                        "model": found["config"]["model"],
                        "method": own.get("method", ""),
                        "kv_budget": budget,
                        "answer": json.dumps(sample["filtered_resps"]),
                        "scores": {name: float(sample[name]) for name in sample["metrics"]},
                        "checkpoint": Path(str(found["config"]["model_args"]["pretrained"])).name,
                        "lm_eval": found["lm_eval_version"],
                        "transformers": found["transformers_version"],
                    }
                )
    if not rows:
        raise InputError(f"no samples below {folder}; lm_eval writes them with --log_samples")
    return rows


def _rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    own = found["config"].get("squeezed") or {}
    for task, scores in found["results"].items():
        for name, value in scores.items():
            metric, comma, kind = name.partition(",")
            if not comma or metric.endswith("_stderr") or not scored(metric, [value]):
                continue
            error = scores.get(f"{metric}_stderr,{kind}")
            yield {
                "task": task,
                "metric": metric,
                "model": found["config"]["model"],
                "method": own.get("method", ""),
                "kv_budget": own.get("tasks", {}).get(task, {}).get("kv_budget"),
                "score": value,
                "stderr": error if isinstance(error, float) else None,
                "n": found["n-samples"][task]["effective"],
            }
