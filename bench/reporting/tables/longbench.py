"""LongBench's own tables: the paper's rows, group averages, LongBench-E buckets, LongBench-v2.

``python -m bench.report`` writes them from all records. Rows of another model, prompt set or setting never
stand in one table. Published figures are shown apart from measured ones, under their own heading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config.spec import CLOSED_BOOK, digest, file_name
from bench.reporting.leaderboard.rows import Run, is_control, settings
from bench.reporting.output import as_csv, write_text
from bench.reporting.published import LONGBENCH, LONGBENCH_SOURCE
from bench.reporting.variants import DENSE
from longbench import v2
from longbench.scoring.buckets import BUCKETS, by_bucket
from longbench.scoring.groups import averages, paper_mean
from longbench.sources.source import V2_NAME
from longbench.tasks import EXTENDED, PAPER_TASKS, TASKS

PAPER_ROWS = tuple(str(row["row"]) for row in LONGBENCH)


@dataclass
class Variant:
    """One method with its parameters, on all the tasks that it was run on.

    ``runs``: records by task. ``row``: its name, the paper's where the paper has that row.
    """

    row: str
    runs: dict[str, pd.DataFrame] = field(default_factory=dict)

    def points(self, task: str) -> float:
        """Mean score of a task, out of 100."""
        return 100 * float(self.runs[task]["score"].mean())

    def budget(self, tasks: Sequence[str]) -> float | None:
        """Mean over tasks of the measured KV budget; None without a task."""
        found = [float(self.runs[task]["kv_budget"].mean()) for task in tasks if task in self.runs]
        return sum(found) / len(found) if found else None


@dataclass
class Part:
    """Variants that may stand in one table. ``about``: what they have in common, in words."""

    name: str
    about: str
    variants: list[Variant]


def row_name(identity: dict[str, Any]) -> str:
    """The name of a run's method in these tables, for instance ``Sq-90%``."""
    method = identity["method"]
    size = next((k for k in ("sparsity", "kv_budget", "kv_tokens") if k in method), None)
    if method["name"] == DENSE:
        return "All KV"
    if method["name"] == "squeezed" and size == "sparsity" and method.get("rule") == "threshold":
        levels = len(identity.get("index", {}).get("levels", (None,)))
        hierarchy = {1: "", 2: "H-"}.get(levels, f"H{levels}-")
        return f"{hierarchy}Sq-{100 * method['sparsity']:g}%"
    asked = f"{size} {method[size]:g}" if size else ""
    return " ".join(str(part) for part in (method["name"], method.get("rule"), asked) if part)


def parts(runs: list[Run]) -> list[Part]:
    """The LongBench runs, sorted into tables."""
    tables: dict[str, tuple[dict[str, Any], dict[str, Variant]]] = {}
    own = [run for run in runs if run[0]["task"]["name"] == "longbench"]
    for (identity, records, _), setting in zip(own, settings(own), strict=True):
        _, variants = tables.setdefault(setting, (identity, {}))
        key = digest([identity["method"], identity.get("index")])
        variant = variants.setdefault(key, Variant(row_name(identity)))
        variant.runs[identity["task"]["subtask"]] = records
    found = []
    names = {key: _name(identity) for key, (identity, _) in tables.items()}
    for key, (identity, variants) in tables.items():
        task = identity["task"]
        name = names[key] + (f"-{key}" if list(names.values()).count(names[key]) > 1 else "")
        about = (
            f"Model {identity['model']['name']}; prompts {task['prompts']}, split {task['split']}; "
            f"metrics {task['behaviour']}; cut: {task['truncate']} at {task['max_length']}"
        )
        if task["limit"] is not None:
            about += f"; only the first {task['limit']} records of each task"
        if is_control(task):
            about += "; asked without the documents"
        found.append(Part(file_name(name), about, _unique(list(variants.items()))))
    return sorted(found, key=lambda part: part.name)


def _name(identity: dict[str, Any]) -> str:
    task = identity["task"]
    control = CLOSED_BOOK if is_control(task) else ""
    return f"{identity['model']['name']}-longbench-{task['prompts']}{control}"


def _unique(variants: list[tuple[str, Variant]]) -> list[Variant]:
    """The variants in the paper's order; equal names (another window or seed) get a hash behind."""
    names = [variant.row for _, variant in variants]
    for key, variant in variants:
        if names.count(variant.row) > 1:
            variant.row += f" ({key[:4]})"

    def order(variant: Variant) -> tuple[int, str]:
        known = variant.row in PAPER_ROWS
        return (PAPER_ROWS.index(variant.row) if known else len(PAPER_ROWS), variant.row)

    return sorted((variant for _, variant in variants), key=order)


def tasks_table(part: Part) -> pd.DataFrame:
    """The paper's table: one row per variant, one column per task of the 14, and their mean."""
    rows = []
    for variant in part.variants:
        scores = {task: variant.points(task) for task in PAPER_TASKS if task in variant.runs}
        if scores:
            head = {"row": variant.row, "kv_budget": variant.budget(PAPER_TASKS)}
            asked = {"n": sum(len(variant.runs[task]) for task in scores)}
            rows.append({**head, **scores, "mean of 14": paper_mean(scores), **asked})
    return pd.DataFrame(rows, columns=["row", "kv_budget", *PAPER_TASKS, "mean of 14", "n"])


def groups_table(part: Part) -> pd.DataFrame:
    """Group means and the averages, each under its own name; empty where a task is missing."""
    rows = []
    for variant in part.variants:
        scores = {task: variant.points(task) for task in TASKS if task in variant.runs}
        if not scores:
            continue
        english, chinese = averages(scores, "en"), averages(scores, "zh")
        rows.append(
            {
                "row": variant.row,
                "kv_budget": variant.budget(list(TASKS)),
                "tasks": len(scores),
                **english.groups,
                "macro (6 groups, en)": english.macro,
                "macro (6 groups, zh)": chinese.macro,
                "flat (16 tasks, en)": english.flat,
                "flat (21 tasks)": _flat(scores),
                "paper (14 tasks)": paper_mean(scores),
            }
        )
    return pd.DataFrame(rows)


def _flat(scores: dict[str, float]) -> float | None:
    return sum(scores.values()) / len(scores) if len(scores) == len(TASKS) else None


def buckets_table(part: Part) -> pd.DataFrame:
    """LongBench-E: one row per variant and task, mean and number of records of each bucket."""
    rows = []
    for variant in part.variants:
        for name, records in variant.runs.items():
            if not name.endswith(EXTENDED):
                continue
            lengths = [meta["length"] for meta in records["meta"]]
            row: dict[str, Any] = {"row": variant.row, "task": name}
            for bucket in by_bucket(zip(lengths, records["score"], strict=True)):
                row |= {bucket.name: bucket.mean, f"n {bucket.name}": bucket.n}
            rows.append(row)
    table = pd.DataFrame(rows)
    if rows:
        means = table.groupby("row", sort=False)[list(BUCKETS)].mean().reset_index()
        means.insert(1, "task", "mean of its tasks")
        counts = {f"n {name}": "Int64" for name in BUCKETS}
        table = pd.concat([table, means], ignore_index=True).astype(counts)
    return table


def v2_table(part: Part) -> pd.DataFrame:
    """LongBench-v2: accuracy overall, by difficulty and by length."""
    rows = []
    for variant in part.variants:
        if V2_NAME in variant.runs:
            records = variant.runs[V2_NAME]
            cells = v2.breakdown(zip(records["meta"], records["score"], strict=True))
            row: dict[str, Any] = {"row": variant.row, "kv_budget": variant.budget([V2_NAME])}
            row |= {name: points for name, (points, _) in cells.items()}
            rows.append(row | {"n": cells["overall"][1]})
    return pd.DataFrame(rows)


def write(runs: list[Run], folder: Path) -> list[Path]:
    """Writes the tables of every part as CSV, and together as Markdown; returns the paths."""
    written: list[Path] = []
    for part in parts(runs):
        folder.mkdir(parents=True, exist_ok=True)
        tables = {
            "paper": ("The paper's 14 tasks", tasks_table(part)),
            "groups": ("Groups and averages", groups_table(part)),
            "e": ("LongBench-E by length", buckets_table(part)),
            "v2": ("LongBench-v2", v2_table(part)),
        }
        text = [f"# {part.name}", part.about]
        for key, (title, table) in tables.items():
            if table.empty:
                continue
            path = folder / f"{part.name}-{key}.csv"
            write_text(path, as_csv(table))
            written.append(path)
            text += [f"## {title}", _markdown(table)]
            if key == "paper":
                text += [f"### {LONGBENCH_SOURCE}", _markdown(published_table())]
        path = folder / f"{part.name}-summary.md"  # NAME.md is the table of all runs
        path.write_text("\n\n".join(text) + "\n", encoding="utf-8")
        written.append(path)
    return written


def published_table() -> pd.DataFrame:
    """The published rows that are known, marked as such."""
    return pd.DataFrame(LONGBENCH).assign(source="published")


def _markdown(table: pd.DataFrame) -> str:
    formats = [".3f" if name == "kv_budget" else ".2f" for name in table.columns]
    known = table.dropna(axis="columns", how="all")
    formats = [fmt for fmt, name in zip(formats, table.columns, strict=True) if name in known]
    known = known.astype(object).where(known.notna(), None)
    return known.to_markdown(index=False, floatfmt=tuple(formats), missingval="")
