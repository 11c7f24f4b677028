"""What every set draws: a head, planted lines at depths, filler of any amount, and questions."""

import bisect
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A piece of a context, one or more lines of text without the last line end.

    ``tags``: by which questions name the lines that they need.
    """

    text: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question about a context.

    Attributes:
        kind: of the set's kinds. text, answer_prefix: together the user input.
        answers: accepted answers, or all that are wanted, as the set's score takes them.
        needs: tags of the lines without which it cannot be answered.
        floor: expected score of the best guess without the context, in [0, 1].
        hops: pieces that must be read one after another.
        gold: the whole output that is wished for; empty: the first answer.
        meta: what the score needs besides.
    """

    kind: str
    text: str
    answer_prefix: str
    answers: tuple[str, ...]
    needs: tuple[str, ...]
    floor: float = 0.0
    hops: int = 1
    gold: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wished(self) -> str:
        """The whole output that is wished for."""
        return self.gold or self.answers[0]


class Planted(NamedTuple):
    """A line that is there at every size. ``depth``: its place, as a share in [0, 1) of the context."""

    depth: float
    line: Line


class Draw:
    """All random choices of one sample, from which a context of any size can be laid out.

    A larger context keeps the planted lines, and begins its filler with that of a smaller one.
    """

    def __init__(
        self,
        head: str,
        planted: Sequence[Planted],
        filler: Iterator[Line],
        questions: Sequence[Question],
    ) -> None:
        """``head``: the instruction, up to the first line. ``filler``: yields lines that hold no evidence, or
        evidence of questions about all of the context."""
        self.head = head
        self.planted = sorted(
            planted, key=lambda each: each.depth
        )  # stable: equal depths keep order
        self.questions = list(questions)
        self._filler, self._drawn = filler, list[Line]()

    def filler(self, count: int) -> list[Line]:
        """The first ``count`` lines of filler.

        Raises:
            ValueError: there are not that many.
        """
        for _ in range(count - len(self._drawn)):
            if (line := next(self._filler, None)) is None:
                raise ValueError(
                    f"the set has no more than {len(self._drawn)} lines of filler; give a shorter length"
                )
            self._drawn.append(line)
        return self._drawn[:count]

    def order(self, count: int) -> list[int]:
        """The lines of a context with ``count`` lines of filler: the planted ones are numbered from 0, the
        filler goes on after them."""
        places = [int(each.depth * (count + 1)) for each in self.planted]
        order, done = [], 0
        for number, place in enumerate(places):
            order += [*range(len(places) + done, len(places) + place), number]
            done = place
        return [*order, *range(len(places) + done, len(places) + count)]


@dataclass(frozen=True)
class Kind:
    """A kind of question. ``most``: questions of the kind on one context at most; None: any number."""

    name: str
    most: int | None = None


@dataclass(frozen=True)
class Request:
    """What a set is asked to draw.

    Attributes:
        seed: decides all random choices. count: questions of each kind.
        options: of the set, all of them.
    """

    seed: str
    count: int
    options: Mapping[str, Any]

    def rng(self, part: str = "") -> random.Random:
        """A stream of its own for each part of a sample."""
        return random.Random(f"{self.seed}/{part}")

    def of(self, kind: Kind) -> int:
        """Questions of a kind."""
        return self.count if kind.most is None else min(self.count, kind.most)


def strata(count: int, rng: random.Random) -> list[float]:
    """A depth in each of ``count`` equal parts of the context, in order."""
    return [(number + rng.random()) / count for number in range(count)]


def before(last: float, count: int, rng: random.Random) -> list[float]:
    """``count`` depths in order, the last of them ``last`` and the others before it."""
    return [*sorted(rng.random() * last for _ in range(count - 1)), last]


def shuffled(items: Sequence[Any], rng: random.Random) -> list[Any]:
    """The items in a random order."""
    return rng.sample(items, len(items))


def once(text: str, evidence: Sequence[str]) -> None:
    """Checks that each piece of evidence stands in the text exactly once, as whole lines.

    Raises:
        ValueError: one does not, which is a mistake of the set and not of the user.
    """
    lines = sorted(text.split("\n"))
    for each in evidence:
        if "\n" in each:
            found = text.count(f"\n{each}\n")
        else:
            found = bisect.bisect_right(lines, each) - bisect.bisect_left(lines, each)
        if found != 1:
            raise ValueError(f"the evidence {each!r} stands in the context {found} times")
