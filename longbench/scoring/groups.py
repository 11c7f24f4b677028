"""Averages over tasks: the six groups, their mean, and the flat means. All in points out of 100.

Three different numbers go by the name of average: the mean of the six group means (the official
one, for English and for Chinese), the mean over tasks, and the mean over the paper's 14 tasks. All
are given, each under its own name; a mean is there only if all of its tasks are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longbench.errors import LongBenchError
from longbench.tasks import CODE, GROUPS, PAPER_TASKS, TASKS


@dataclass(frozen=True)
class Averages:
    """Means of a set of tasks, in points; None where a task is missing.

    Attributes:
        groups: of each group that the set has, in the official order.
        macro: mean of the group means. flat: mean over the tasks.
        missing: the tasks that were not there.
    """

    groups: dict[str, float | None]
    macro: float | None
    flat: float | None
    missing: tuple[str, ...]


def members(language: str = "en") -> dict[str, tuple[str, ...]]:
    """The tasks of each group. ``en``: 16 tasks in six groups. ``zh``: 5, and the code group again.
    ``paper``: the paper's 14 tasks, in five groups.

    Raises:
        LongBenchError: no such set of tasks.
    """
    if language not in ("en", "zh", "paper"):
        raise LongBenchError(f"unknown set of tasks {language!r}; known: en, zh, paper")
    found: dict[str, tuple[str, ...]] = {}
    for group in GROUPS:
        tasks = [task for task in TASKS.values() if task.group == group]
        if language == "paper":
            tasks = [task for task in tasks if task.paper]
        elif group != CODE:
            tasks = [task for task in tasks if task.language == language]
        if tasks:
            found[group] = tuple(task.name for task in tasks)
    return found


def averages(scores: Mapping[str, float], language: str = "en") -> Averages:
    """The means of a set of tasks. ``scores``: of each task, in points; others are ignored."""
    groups = members(language)
    means = {group: _mean(scores, tasks) for group, tasks in groups.items()}
    tasks = [task for group in groups.values() for task in group]
    present = [mean for mean in means.values() if mean is not None]
    macro = sum(present) / len(present) if len(present) == len(means) else None
    missing = tuple(task for task in tasks if task not in scores)
    return Averages(means, macro, _mean(scores, tasks), missing)


def paper_mean(scores: Mapping[str, float]) -> float | None:
    """The mean over the paper's 14 tasks, in points; None where one is missing."""
    return _mean(scores, PAPER_TASKS)


def _mean(scores: Mapping[str, float], tasks: Iterable[str]) -> float | None:
    names = list(tasks)
    if any(name not in scores for name in names):
        return None
    return sum(scores[name] for name in names) / len(names)
