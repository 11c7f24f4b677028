"""Rows do not depend on how many processes make them, nor on when."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from rows.row import write_jsonl
from ruler.generate import LengthError, generate

SETTINGS = {"task": "niah_multikey_2", "length": 600, "samples": 6, "questions_per_context": 2}


def digest(tokenizer: Any, path: Path, workers: int) -> str:
    write_jsonl(path, generate(tokenizer=tokenizer, workers=workers, **SETTINGS))  # type: ignore[arg-type]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_one_worker_and_two_write_the_same_file(tokenizer: Any, tmp_path: Path) -> None:
    one = digest(tokenizer, tmp_path / "one.jsonl", 1)
    assert digest(tokenizer, tmp_path / "two.jsonl", 2) == one
    assert digest(tokenizer, tmp_path / "again.jsonl", 1) == one


def test_a_workers_error_comes_through(tokenizer: Any) -> None:
    with pytest.raises(LengthError, match="length 90 is too short for niah_single_1") as caught:
        list(generate("niah_single_1", tokenizer, 90, 2, workers=2))
    assert caught.value.needed > 90
