"""The race: few questions for every candidate, more for those that can still be named.

A candidate is a method with a size. It is *within* the tolerance once the lower bound of its paired
difference from full attention lies above minus the tolerance, and it *loses* too much once even its upper
bound lies below. The first look asks all candidates. Then the candidates are taken from the smallest
measured budget up; those that read the same (within ``SAME_READ``) are a rung. A rung's candidates are
asked on, look by look, until each is decided or all questions are asked. The first rung with one that is
within ends the race: whatever reads more cannot be named, and is asked nothing more.

Statistics. Lower bounds are what is claimed. Each is computed with the risk ``1 - LEVEL`` divided by the
number of looks times the number of candidates (Bonferroni), so with probability ``LEVEL`` all of them hold
together, at whatever look the race stops and whichever candidate it names. Upper bounds only save work: they
have the whole risk each, and one that fails costs bytes, not a wrong claim.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bench.racing.bound import Bounds, bounds

LEVEL = 0.95
SAME_READ = 0.02  # shares of the smaller one: budgets, and times, that are taken for equal
SAME_TIME = 0.1


class State(Enum):
    """What is known of a candidate."""

    OPEN = "open"
    WITHIN = "within"
    LOSES = "loses more"
    OUT = "cannot be run"


@dataclass(frozen=True)
class Seen:
    """What the questions of a look say of one candidate.

    Attributes:
        differences: ``[n]`` scores minus full attention's. contexts: ``[n]``, the context of each.
        read: mean measured KV budget. seconds: of an answer, by how many questions were asked together.
    """

    differences: Sequence[float]
    contexts: Sequence[str]
    read: float
    seconds: Mapping[int, float]


@dataclass(frozen=True)
class Standing:
    """Where a candidate stands. ``look``: its last one, from 0; -1: none. ``why``: it cannot be run."""

    name: str
    state: State = State.OPEN
    look: int = -1
    seen: Seen | None = None
    bounds: Bounds | None = None
    why: str = ""


def same_batch(times: Sequence[Mapping[int, float]]) -> int | None:
    """The smallest number of questions asked together of which all have times; None: there is none."""
    return min(set.intersection(*(set(each) for each in times)), default=None)


# Asks candidates the questions of a look: what they say, or in words why one cannot be run.
Ask = Callable[[Sequence[str], int], dict[str, Seen | str]]


@dataclass
class Race:
    """A race and how it stands; an interruption leaves the standings of before.

    Attributes:
        candidates: names; of equals, the first is preferred. tolerance: of the score, in (0, 1].
        looks: how many there are. standings: by name. winner: None if none is within (so far).
    """

    candidates: Sequence[str]
    tolerance: float
    looks: int
    standings: dict[str, Standing] = field(default_factory=dict)
    winner: str | None = None

    def __post_init__(self) -> None:
        self.standings = {name: Standing(name) for name in self.candidates}

    @property
    def risk(self) -> float:
        """Of one lower bound."""
        return (1 - LEVEL) / (self.looks * len(self.candidates))

    def run(self, ask: Ask) -> None:
        """Runs the race to its end."""
        self._look(self.candidates, 0, ask)
        while rung := self._rung():
            for look in range(1, self.looks):
                self._look([name for name in rung if self._state(name) is State.OPEN], look, ask)
            within = [name for name in rung if self._state(name) is State.WITHIN]
            if within:
                self.winner = self._fastest(within)
                return

    def _state(self, name: str) -> State:
        return self.standings[name].state

    def _look(self, names: Sequence[str], look: int, ask: Ask) -> None:
        if not names:
            return
        for name, found in ask(names, look).items():
            if isinstance(found, str):
                self.standings[name] = Standing(name, State.OUT, why=found)
            else:
                self.standings[name] = self._judged(name, look, found)

    def _judged(self, name: str, look: int, seen: Seen) -> Standing:
        low = bounds(seen.differences, seen.contexts, self.risk)
        high = bounds(seen.differences, seen.contexts, 1 - LEVEL).high
        state = State.OPEN
        if low.low > -self.tolerance:
            state = State.WITHIN
        elif high < -self.tolerance:
            state = State.LOSES
        return Standing(name, state, look, seen, Bounds(low.mean, low.low, high))

    def _rung(self) -> list[str]:
        """The candidates of the smallest measured budget that are not settled yet."""
        todo = [
            (each.seen.read, each.name)
            for each in self.standings.values()
            if each.seen is not None
            and (each.state is State.WITHIN or each.state is State.OPEN)
            and not (each.state is State.OPEN and each.look == self.looks - 1)
        ]
        least = min((read for read, _ in todo), default=0.0)
        return [name for read, name in todo if read <= least * (1 + SAME_READ)]

    def _fastest(self, names: Sequence[str]) -> str:
        """The fastest of those that read the same; of those about as fast, the one that was named first.

        Where their times are of questions that were asked together in different numbers, nobody is faster.
        """
        seen = {name: each for name in names if (each := self.standings[name].seen)}
        batch = same_batch([each.seconds for each in seen.values()])
        if batch is None:
            return names[0]
        times = {name: each.seconds[batch] for name, each in seen.items()}
        limit = min(times.values()) * (1 + SAME_TIME)
        return next(name for name in names if times[name] <= limit)

    def closest(self) -> str | None:
        """Without a winner: the candidate with the highest lower bound; None before the first look."""
        judged = {name: each.bounds.low for name, each in self.standings.items() if each.bounds}
        return max(judged, key=lambda name: judged[name], default=None)
