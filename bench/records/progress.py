"""How far a list of runs is, in numbers, in one line, and how long the rest may take."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from bench.config.words import counted, in_words
from bench.records.states import STATES, State

CLOSED = ("done", "skipped")  # the same command has nothing to do there


@dataclass(frozen=True)
class Progress:
    """Numbers of a list of runs.

    Attributes:
        states: how many runs are in each state. answered: questions, of all runs.
        expected: questions of all runs; None if only the data tell it of one.
        seconds_left: for what is open, with as many processes as work now (one if none does), as long as a
            question took on average in runs on the same contexts, or else in all; None: nothing tells it.
    """

    states: dict[str, int]
    answered: int
    expected: int | None
    seconds_left: float | None

    @classmethod
    def of(cls, found: Sequence[State]) -> "Progress":
        """The numbers of some runs."""
        counts = Counter(each.state for each in found)
        totals = [each.expected for each in found]
        return cls(
            states={state: counts[state] for state in STATES},
            answered=sum(each.answered for each in found),
            expected=None if None in totals else sum(total or 0 for total in totals),
            seconds_left=_seconds_left(found),
        )

    @property
    def runs(self) -> int:
        """How many there are."""
        return sum(self.states.values())

    @property
    def over(self) -> bool:
        """Whether no run is being done or waits to be: what is left has failed, or cannot be."""
        return not any(self.states[state] for state in ("running", "stopped", "missing"))

    def line(self) -> str:
        """One line for people."""
        counts = [f"{number} {state}" for state, number in self.states.items() if number]
        text = f"{counted(self.runs, 'run')}: {', '.join(counts)}"
        if not self.over:
            text += f"; {self.answered} of {self.expected or '?'} questions"
        if self.seconds_left:
            text += f"; about {in_words(self.seconds_left)} left"
        return text

    def fields(self) -> dict[str, Any]:
        """The numbers for other programs."""
        return {"runs": self.runs, **asdict(self), "over": self.over}


def _seconds_left(found: Sequence[State]) -> float | None:
    speeds: dict[str, list[float]] = defaultdict(list)
    sizes: dict[str, list[int]] = defaultdict(list)
    for each in found:
        for place in (_contexts(each), ""):
            if each.seconds is not None:
                speeds[place].append(each.seconds)
            if each.expected is not None or each.state == "done":
                sizes[place].append(each.expected or each.answered)
    left = 0.0
    for each in found:
        if each.state in (*CLOSED, "failed"):  # what failed is not tried again by the same start
            continue
        place = _contexts(each)
        total = each.expected or next((fmean(s) for s in (sizes[place], sizes[""]) if s), None)
        speed = next((fmean(s) for s in (speeds[place], speeds[""]) if s), None)
        if total is None or speed is None:
            return None
        left += speed * max(0, total - each.answered)
    return round(left / max(1, sum(each.state == "running" for each in found)), 1)


def _contexts(run: State) -> str:
    """Model and task of a run, as its folder says them."""
    return run.folder.rpartition("/")[0]
