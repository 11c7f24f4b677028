"""Numbers of a list of runs, and how long the rest may take."""

from typing import Any

import pytest

from bench.records.progress import Progress
from bench.records.states import State


def run(state: str, answered: int = 0, expected: int | None = 10, **other: Any) -> State:
    folder = f"m/{other.pop('task', 't')}/{other.pop('method', 'full')}"
    return State("s", state, answered, expected, "title", "", folder, **other)


def test_one_line_has_what_is_done_running_failed_and_the_time_left() -> None:
    found = [run("done", 10, seconds=30.0), run("running", 4, seconds=30.0), run("failed", 1)]
    progress = Progress.of(found)
    assert progress.line() == (
        "3 runs: 1 done, 1 running, 1 failed; 15 of 30 questions; about 3 min left"
    )
    assert not progress.over


def test_two_processes_take_half_the_time() -> None:
    one = [run("running", 5, seconds=2.0), run("missing")]
    assert Progress.of(one).seconds_left == (5 + 10) * 2
    assert Progress.of([*one, run("running", 5, seconds=2.0)]).seconds_left == (5 + 10 + 5) * 2 / 2


def test_a_speed_is_that_of_the_same_contexts_where_there_is_one() -> None:
    done = [run("done", 10, seconds=1.0, task="short"), run("done", 10, seconds=9.0, task="long")]
    assert Progress.of([*done, run("missing", task="long")]).seconds_left == 90
    assert Progress.of([*done, run("missing", task="short")]).seconds_left == 10
    assert Progress.of([*done, run("missing", task="other")]).seconds_left == 50


@pytest.mark.parametrize(
    "found",
    [
        [run("missing"), run("running", 0)],  # nothing was answered yet
        [run("running", 2, None, seconds=1.0)],  # only the data tell how many questions there are
    ],
)
def test_what_nothing_tells_is_not_said(found: list[State]) -> None:
    assert Progress.of(found).seconds_left is None
    assert "left" not in Progress.of(found).line()


def test_the_number_of_questions_is_that_of_runs_on_the_same_contexts() -> None:
    found = [run("done", 8, None, seconds=1.0), run("running", 3, None, seconds=1.0)]
    assert Progress.of(found).seconds_left == 5
    assert "11 of ? questions" in Progress.of(found).line()


def test_it_is_over_when_no_run_waits() -> None:
    closed = [run("done", 10), run("skipped"), run("failed")]
    assert Progress.of(closed).over
    assert Progress.of(closed).line() == "3 runs: 1 done, 1 failed, 1 skipped"
    for state in ("running", "stopped", "missing"):
        assert not Progress.of([*closed, run(state)]).over


def test_fields_are_for_other_programs() -> None:
    fields = Progress.of([run("done", 10, seconds=1.0), run("missing")]).fields()
    assert fields["runs"] == 2
    assert fields["states"] == {
        **dict.fromkeys(("running", "failed", "skipped", "stopped"), 0),
        **{"done": 1, "missing": 1},
    }
    assert (fields["answered"], fields["expected"], fields["seconds_left"]) == (10, 20, 10.0)
    assert fields["over"] is False
