"""Averages: the six groups, their mean, flat means, and buckets by length."""

import pytest

from longbench.errors import LongBenchError
from longbench.scoring.buckets import bucket_of, by_bucket
from longbench.scoring.groups import averages, members, paper_mean
from longbench.tasks import CODE, PAPER_TASKS, SINGLE, SYNTHETIC, TASKS

# One score a task, such that the three means of English differ and can be worked out by hand.
SCORES = dict.fromkeys(TASKS, 0.0) | {"lcc": 60.0, "repobench-p": 60.0, "narrativeqa": 30.0}


def test_the_groups_are_the_official_ones() -> None:
    english, chinese = members("en"), members("zh")
    assert [len(tasks) for tasks in english.values()] == [3, 3, 3, 3, 2, 2]
    assert [len(tasks) for tasks in chinese.values()] == [1, 1, 1, 1, 1, 2]
    assert chinese[CODE] == english[CODE] == ("lcc", "repobench-p")
    paper = members("paper")
    assert SYNTHETIC not in paper
    assert tuple(task for tasks in paper.values() for task in tasks) == PAPER_TASKS
    with pytest.raises(LongBenchError, match="known: en, zh, paper"):
        members("fr")


def test_the_means_differ_by_name() -> None:
    english = averages(SCORES, "en")
    assert english.groups[SINGLE] == 10.0
    assert english.groups[CODE] == 60.0
    assert english.macro == pytest.approx(70 / 6)
    assert english.flat == pytest.approx(150 / 16)
    assert averages(SCORES, "zh").macro == 10.0
    assert averages(SCORES, "paper").macro == pytest.approx(70 / 5)
    assert paper_mean(SCORES) == pytest.approx(150 / 14)


def test_a_mean_with_a_task_missing_is_not_there() -> None:
    part = {name: score for name, score in SCORES.items() if name != "qasper"}
    english = averages(part, "en")
    assert english.groups[SINGLE] is None
    assert english.groups[CODE] == 60.0
    assert (english.macro, english.flat) == (None, None)
    assert english.missing == ("qasper",)
    assert paper_mean(part) is None
    assert averages(part, "zh").macro == 10.0


def test_buckets_by_length() -> None:
    assert [bucket_of(n) for n in (0, 3999, 4000, 7999, 8000, 50000)] == [
        *("0-4k", "0-4k", "4-8k", "4-8k", "8k+", "8k+")
    ]
    short, middle, long = by_bucket([(10, 1.0), (3999, 0.0), (9000, 0.25)])
    assert (short.mean, short.n) == (50.0, 2)
    assert (middle.mean, middle.n) == (None, 0)
    assert (long.mean, long.n) == (25.0, 1)
