"""What the pages say about names and fields is what the code has."""

import json
import re
import sys
from pathlib import Path

import pytest

import squeezed
from bench.config.methods import TABLE
from bench.reporting.leaderboard.rows import COLUMNS, EXTRA_COLUMNS
from bench.reporting.leaderboard.schema import Row
from bench.reporting.studies import STUDIES
from bench.tasks import TASKS
from tests.docs.pages import PAGES, ROOT, without_additions


def table(page: str, heading: str) -> list[str]:
    """First column of the table under a heading; several names in a cell are several entries."""
    text = (ROOT / page).read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1]
    found: list[str] = []
    for line in text.split("\n## ", 1)[0].splitlines():
        if line.startswith("| `"):
            found += re.findall(r"`([^`]+)`", line.split("|")[1])
    return found


def test_the_leaderboard_is_explained_column_by_column() -> None:
    explained = table("docs/records.md", "The leaderboard")
    assert explained == [*COLUMNS, *EXTRA_COLUMNS]
    assert set(Row.model_fields) <= set(explained)


def test_records_are_explained_field_by_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.cli import run as bench

    monkeypatch.chdir(tmp_path)
    small = ["task.length=512", "task.samples=1", "task.max_new_tokens=2", "cache_dir=null"]
    monkeypatch.setattr(sys, "argv", ["bench", *small])
    assert bench.main() == 0
    (path,) = Path("results/runs").rglob("records.jsonl")
    record = json.loads(path.read_text().splitlines()[0])
    assert set(record) == set(table("docs/records.md", "A record"))
    assert {each.name for each in path.parent.iterdir()} <= set(
        table("docs/records.md", "The folder of a run")
    )


def test_methods_tasks_and_studies_are_all_named() -> None:
    for page, names in {
        "docs/method.md": squeezed.METHODS,
        "docs/datasets.md": TASKS,
        "docs/figures.md": STUDIES,
    }.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        missing = [name for name in names if f"`{name}`" not in text]
        assert not missing, f"{page}: {missing}"


def test_every_method_of_the_field_has_a_paragraph_with_its_source() -> None:
    """Those that are ours, or references, are explained elsewhere; a new one may be nobody's."""
    text = (ROOT / "docs" / "baselines.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=\n#|\Z)", text, re.MULTILINE | re.DOTALL))
    others = {"full", "oracle", "random", "squeezed", "squeezed_best"}
    assert set(parts) == set(TABLE) - others
    for name, part in parts.items():
        assert "arxiv.org/abs/" in part or "no published method" in part.lower(), name


def test_settings_that_pages_set_exist() -> None:
    """Keys of the bench that stand in the text as ``method.x=...`` or ``hydra.launcher.x=...``."""
    from bench.config.schema import Config, IndexConf, MethodConf, ModelConf

    known = {
        "model": set(ModelConf.__dataclass_fields__),
        "method": set(MethodConf.__dataclass_fields__),
        "index": set(IndexConf.__dataclass_fields__),
        "task": {name for task in TASKS.values() for name in task.conf.__dataclass_fields__},
    }
    assert set(Config.__dataclass_fields__) >= {
        "results",
        "cache_dir",
        "batch_size",
        "backend",
        "dry_run",
    }
    for page in PAGES:
        text = without_additions((ROOT / page).read_text(encoding="utf-8"))
        for group, key in re.findall(r"\b(model|method|index|task)\.(\w+)=", text):
            assert key in known[group], f"{page}: {group}.{key}"
