"""Questions asked without their contexts: a control for every task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import report
from bench.records.files import read_records

Bench = Callable[..., Any]
TASKS = {
    "ruler": ("task=ruler", "task.subtask=niah_multikey_2", "task.samples=2"),
    "prefixqa": ("task=prefixqa", "task.samples=1", "task.questions_per_context=4"),
    "longbench": ("task=longbench", "task.subtask=qasper"),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_model_sees_the_question_alone(name: str, bench: Bench, tmp_path: Path) -> None:
    given = [*TASKS[name], "method=full", "backend=reference", "task.max_new_tokens=2"]
    for closed in ("false", "true"):
        assert bench(*given, f"task.closed_book={closed}").code == 0
    found = {
        path.parent.parent.name: read_records(path) for path in tmp_path.rglob("records.jsonl")
    }
    (control,) = [each for each in found if "-closed_book" in each]
    (standard,) = [each for each in found if "-closed_book" not in each]
    assert [each["id"] for each in found[control]] == [each["id"] for each in found[standard]]
    assert max(each["context_tokens"] for each in found[control]) < 30
    assert len({each["context"] for each in found[control]}) == 1
    sizes = [
        [each["question_tokens"] for each in found[each_name]] for each_name in (control, standard)
    ]
    assert sizes[0] == sizes[1]


def test_the_leaderboard_has_it_as_a_row_of_its_own(bench: Bench, tmp_path: Path) -> None:
    for closed in ("false", "true"):
        assert bench("method=full", "backend=reference", f"task.closed_book={closed}").code == 0
    assert report.main(["leaderboard", f"results={tmp_path / 'results'}"]) == 0
    table = (tmp_path / "results" / "leaderboard.csv").read_text()
    assert "niah_single_1-closed_book" in table
