"""What is kept of requests while the harness asks; needs no harness."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.config.errors import InputError
from bench.harness import settings
from bench.harness.measured import Measured, context_key


def record(task: str, context: str, budget: float = 0.2) -> dict[str, Any]:
    return {"task": task, "context": context, "kv_budget": budget}


def test_tasks_that_share_contexts_have_each_their_own() -> None:
    """The second task had none, and the run ended in a division by zero when all was answered."""
    measured = Measured(settings.read({"method": "full"}))
    one, two = context_key([1, 2, 3]), context_key([1, 2])
    measured.context(one, 300, 9.0)
    measured.note(record("first", one))
    measured.note(record("second", one))
    measured.context(two, 100, 1.0)
    measured.note(record("second", two, 0.4))
    assert "1 contexts of 300 tokens" in measured.line("first")
    second = measured.summary()["tasks"]["second"]
    assert second == {
        "kv_budget": pytest.approx(0.3),
        "requests": 2,
        "contexts": 2,
        "context_tokens": 200,
        "prepare_ms": 5.0,
    }


def test_records_of_before_stay_until_the_first_answer(tmp_path: Path) -> None:
    file = tmp_path / "new" / "records.jsonl"
    asked = settings.read({"method": "full", "records": str(file)})
    first = Measured(asked)
    for each in ("a", "b"):
        first.note(record("task", each))
    before = file.read_text()
    assert len(before.splitlines()) == 2
    again = Measured(asked)  # a command that may still be refused
    assert file.read_text() == before
    for each in ("c", "d", "e"):
        again.note(record("task", each))
    assert [json.loads(line)["context"] for line in file.read_text().splitlines()] == [
        "c",
        "d",
        "e",
    ]


def test_a_file_of_records_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="records: cannot write"):
        Measured(settings.read({"method": "full", "records": str(tmp_path)}))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="records: cannot write"):
        Measured(settings.read({"method": "full", "records": str(tmp_path / "file" / "records")}))
