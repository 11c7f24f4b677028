"""Names of models and of groups of runs as a reader would say them."""

from typing import Any

import pandas as pd

from bench.config.spec import CLOSED_BOOK

TASKS = {"ruler": "RULER", "longbench": "LongBench", "prefixqa": "PreFixQA", "probes": "Probes"}
FIXTURE = "mini"
ABOUT_FIXTURE = (
    "mini is a fixture: a model of under two million parameters, trained for tasks of this kind, that comes "
    "with the suite. Its scores test the machinery. Nothing may be concluded from them about methods or "
    "about other models."
)


def models(identities: list[dict[str, Any]], commits: list[str]) -> list[str]:
    """A sentence on each model that was asked."""
    found = []
    for model in (identity["model"] for identity in identities):
        fixture = model["name"] == FIXTURE
        begin = f"{ABOUT_FIXTURE} It ran in" if fixture else f"{model['name']}:"
        found.append(f"{begin} {model['dtype']} on {model['device']}")
    code = f"commit {', '.join(commits)}"
    return [f"{text}, {code}." for text in dict.fromkeys(found)]


def titles(groups: list[tuple[str, pd.DataFrame]]) -> dict[str, str]:
    """A title for each group of ``tables.overview``; where two would be alike, their names stand behind."""
    found = {name: _title(part) for name, part in groups}
    alike = list(found.values())
    return {
        name: title if alike.count(title) == 1 else f"{title} ({name})"
        for name, title in found.items()
    }


def _title(part: pd.DataFrame) -> str:
    first = part.iloc[0]
    task = TASKS.get(first["task"], first["task"])
    title = f"{first['model']} on {task}"
    if part["subtask"].nunique() == 1 and part["subtask"].iloc[0] != first["task"]:
        title += f", {part['subtask'].iloc[0]}"
    numbers = sorted({int(n) for n in part["context_length"].dropna()})
    if numbers:
        title += f", {' and '.join(str(n) for n in numbers)} tokens"
    if pd.notna(first["samples"]) and pd.notna(first["questions_per_context"]):
        contexts, each = int(first["samples"]), int(first["questions_per_context"])
        title += (
            f", {contexts} contexts of {each} questions" if each > 1 else f", {contexts} contexts"
        )
    title += ", asked without the contexts" if first["subtask"].endswith(CLOSED_BOOK) else ""
    return title + (f", prompts: {first['prompts']}" if first["prompts"] else "")
