"""Fixtures of the LongBench tests: the embedded model's tokenizer, and a prompt set of other words."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ROOT / "bench" / "models" / "mini")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Folder with prompt files in the official format: the official labels in words of our own."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    shutil.copy(HERE / "foreign.json", folder / "dataset2prompt.json")
    (folder / "dataset2maxlen.json").write_text(json.dumps({"qasper": 17}))
    return folder
