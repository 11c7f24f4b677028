"""What is kept of requests while the harness asks; needs no harness."""

from pathlib import Path
from typing import Any

import pytest

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
