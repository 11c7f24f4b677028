"""PreFixQA's own tables: scores by question type, by place of the evidence, and when the index pays.

``python -m bench.report`` writes them from all records. Rows of another model, prompt set or setting never
stand in one table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config.spec import file_name
from bench.reporting.leaderboard.rows import Run, setting_key
from bench.reporting.output import as_csv, as_markdown, write_text
from bench.reporting.statistics.measured import batch, each_part
from bench.reporting.variants import DENSE, variant
from prefixqa.document import TYPES
from prefixqa.rows import TASK

PLACES = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
QUESTIONS = 24  # of one document, for the totals: as many as the published set has on average


@dataclass(frozen=True)
class Part:
    """Runs on the same rows.

    Attributes:
        variants: name and records of each method, full attention first.
        clustered: names of those that need the clusters; the bench makes them for every run.
    """

    name: str
    variants: list[tuple[str, pd.DataFrame]]
    clustered: frozenset[str] = frozenset()


def parts(runs: list[Run]) -> list[Part]:
    """The PreFixQA runs, sorted into tables: one for each model, set, length and setting."""
    found: dict[tuple[str, ...], list[tuple[int, str, pd.DataFrame]]] = {}
    clustered: set[str] = set()
    for identity, records, _ in runs:
        task = identity["task"]
        if task["name"] != TASK:
            continue
        place = (
            identity["model"]["name"],
            task["label"],
            str(task["length"] or "mixed"),
            task["data"] or "",
            setting_key(identity),
        )
        order = 0 if identity["method"]["name"] == DENSE else 1
        if identity.get("index", {}).get("levels"):
            clustered.add(method_name(identity))
        found.setdefault(place, []).append((order, method_name(identity), records))
    names = {place: "-".join((place[0], TASK, place[1], place[2])) for place in found}
    return [
        Part(
            file_name(name + ("" if list(names.values()).count(name) == 1 else f"-{place[-1]}")),
            [
                (label, records)
                for _, label, records in sorted(found[place], key=lambda each: each[:2])
            ],
            frozenset(clustered),
        )
        for place, name in sorted(names.items(), key=lambda each: each[1])
    ]


def method_name(identity: dict[str, Any]) -> str:
    """A run's method in these tables, for instance ``squeezed topk depth 2 sparsity 0.9``."""
    method = identity["method"]
    words = [method["name"], method.get("rule", "")]
    levels = len(identity.get("index", {}).get("levels", ()))
    words += [f"depth {levels}"] if levels > 1 else []
    sizes = ("sparsity", "kv_budget", "kv_tokens")
    words += [f"{size} {method[size]:g}" for size in sizes if size in method]
    name, more = " ".join(word for word in words if word), variant(identity)
    return f"{name}, {more}" if more else name


def types_table(part: Part) -> pd.DataFrame:
    """Mean F1 by question type, exact match over all, and the numbers of questions."""
    rows = []
    for name, records in part.variants:
        kinds = records["meta"].map(lambda meta: meta["type"])
        means = records.groupby(kinds)["score"].mean()
        rows.append(
            {
                "variant": name,
                "kv_budget": records["kv_budget"].mean(),
                **{kind: means[kind] for kind in TYPES if kind in means},
                "f1": records["score"].mean(),
                "exact": records["metrics"].map(lambda each: each["exact"]).mean(),
                "n": len(records),
            }
        )
    return pd.DataFrame(rows)


def places_table(part: Part) -> pd.DataFrame:
    """Mean F1 by where in the document the (first) evidence stands."""
    rows = []
    for name, records in part.variants:
        depth = records["meta"].map(lambda meta: meta["depths"][0])
        row: dict[str, Any] = {"variant": name, "kv_budget": records["kv_budget"].mean()}
        for low, high in PLACES:
            inside = (depth >= low) & ((depth < high) | (high == 1.0))
            row[f"{low:.0%} to {high:.0%}"] = records.loc[inside, "score"].mean()
        rows.append(row | {"n": len(records)})
    return pd.DataFrame(rows)


def amortisation_table(part: Part) -> pd.DataFrame:
    """What the index costs once, what it saves a question, and from which question on it is ahead.

    All times in ms, medians over questions or contexts. ``once`` is the time for what a method needs of
    the context: clusters and calibration, or pages, codes and choices of its own, where records are new
    enough to say. The dense prefill is not in it, as full attention with a kept prefix pays that too.
    ``online`` is the user input's prefill and as many decoded tokens as full attention needs on average, so
    that a method gains nothing by short answers; of questions that were answered together (``batch``), each
    one's part. ``ahead from`` is the smallest number of questions with ``once < questions * saved``. The row
    ``full, no kept prefix`` prefills the document again for every question.
    """
    reference = next((found for name, found in part.variants if name == DENSE), None)
    if reference is None:
        return pd.DataFrame()
    tokens = float(reference["new_tokens"].mean())
    full = online_ms(reference, tokens)
    dense = context_median(reference, "dense_ms")
    again = {"variant": "full, no kept prefix", "kv_budget": 1.0, "f1": reference["score"].mean()}
    again |= {"batch": batch(reference), "once": 0.0, "online": dense + full, "saved": -dense}
    again |= {"ahead from": ""}
    rows: list[dict[str, Any]] = [
        again | {f"total of {QUESTIONS}": dense + full + (QUESTIONS - 1) * (dense + full)}
    ]
    for name, records in part.variants:
        online = online_ms(records, tokens)
        once = once_ms(name, records, part)
        saved = full - online
        rows.append(
            {
                "variant": name,
                "kv_budget": records["kv_budget"].mean(),
                "f1": records["score"].mean(),
                "batch": batch(records),
                "once": once,
                "online": online,
                "saved": saved,
                "ahead from": "" if name == DENSE or math.isnan(once) else break_even(once, saved),
                f"total of {QUESTIONS}": dense + once + QUESTIONS * online,
            }
        )
    return pd.DataFrame(rows)


def online_ms(records: pd.DataFrame, tokens: float) -> float:
    """Time of one question: its prefill, which gives the first token, and the other tokens.

    Of questions that were answered together, each one's part.
    """
    prefill, token = (
        float(pd.Series(each_part(records, name)).median())
        for name in ("prefill_ms", "decode_ms_per_token")
    )
    return prefill + max(0.0, tokens - 1) * (0.0 if math.isnan(token) else token)


def once_ms(name: str, records: pd.DataFrame, part: Part) -> float:
    """Time of what a method needs of a context, without the dense prefill; NaN where records do not say.

    The clusters are in the records of all methods, and are a cost of those alone that need them.
    """
    if name == DENSE:
        return 0.0
    if name in part.clustered:
        return context_median(records, "prepare_ms") - context_median(records, "dense_ms")
    return context_median(records, "method_ms") if "method_ms" in records else math.nan


def context_median(records: pd.DataFrame, column: str) -> float:
    """Median over contexts of a value that all records of a context share."""
    return float(records.groupby("context")[column].first().median())


def break_even(once: float, saved: float) -> str:
    """The number of questions from which on the saving exceeds what was paid once; or ``never``."""
    if not saved > 0:
        return "never"
    return str(max(1, math.floor(once / saved) + 1))


TABLES: dict[str, tuple[str, Callable[[Part], pd.DataFrame]]] = {
    "types": ("F1 by question type", types_table),
    "evidence-places": ("F1 by place of the evidence", places_table),
    "amortisation": ("Amortisation, times in ms", amortisation_table),
}


def write(runs: list[Run], folder: Path) -> list[Path]:
    """Writes the tables of every part as CSV, and together as Markdown; returns the paths."""
    written: list[Path] = []
    for part in parts(runs):
        folder.mkdir(parents=True, exist_ok=True)
        text = [f"# {part.name}"]
        for key, (title, build) in TABLES.items():
            if (table := build(part)).empty:
                continue
            path = folder / f"{part.name}-{key}.csv"
            write_text(path, as_csv(table))
            written.append(path)
            text += [f"## {title}", as_markdown(table)]
        path = folder / f"{part.name}.md"
        path.write_text("\n\n".join(text) + "\n", encoding="utf-8")
        written.append(path)
    return written
