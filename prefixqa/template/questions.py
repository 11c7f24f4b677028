"""Questions on the facts of a document: how many of each type, spread over its whole depth."""

import random
from collections import Counter
from dataclasses import dataclass

from prefixqa.document import Evidence, Pair
from prefixqa.mix import quotas
from prefixqa.spread import Strata
from prefixqa.template.facts import Fact
from prefixqa.template.prose import GENERATOR

MIX = {"factual": 7, "numeric": 7, "method": 4, "definition": 3, "comparison": 1, "multi-span": 2}


@dataclass(frozen=True)
class Placed:
    """A fact and the sentence that states it."""

    fact: Fact
    evidence: Evidence


class SpaceError(ValueError):
    """A document too short for the questions. ``held`` is the number of facts it states."""

    def __init__(self, message: str, held: int) -> None:
        super().__init__(message)
        self.held = held


def choose(
    rng: random.Random, placed: list[Placed], questions: int, mix: dict[str, int], length: int
) -> tuple[Pair, ...]:
    """Pairs on the facts of a document, in the order of the text.

    The text is cut into as many strata as there are questions, and every question takes a fact from
    a stratum of its own as far as its type is to be had there. Where a type runs out, its questions
    go to the other types.

    Args:
        placed: the facts in the order of the text. length: characters of the text.

    Raises:
        SpaceError: there are fewer facts than questions.
        ValueError: as ``quotas``.
    """
    wanted = quotas(questions, mix)
    pool = _Pool(rng, placed, questions, length)
    supply = Counter(each.fact.attribute.type for each in placed)
    compared = [each for each in placed if each.fact.attribute.more]
    supply["comparison"], supply["multi-span"] = len(compared), len(placed)
    scarce_first = sorted(wanted, key=lambda name: (supply[name] / max(1, wanted[name]), name))
    pairs: list[Pair] = []
    for name in scarce_first:
        for _ in range(wanted[name]):
            if pair := pool.pair(name):
                pairs.append(pair)
    while len(pairs) < questions and (pair := pool.any()):
        pairs.append(pair)
    if len(pairs) < questions:
        raise SpaceError(
            f"the document states {len(placed)} facts, enough for {len(pairs)} of the {questions} "
            "questions; make it longer, or ask less",
            len(placed),
        )
    return tuple(sorted(pairs, key=lambda pair: pair.evidence[0].start))


class _Pool:
    """The facts that are not asked for yet, and the strata that have no question yet."""

    def __init__(
        self, rng: random.Random, placed: list[Placed], questions: int, length: int
    ) -> None:
        self._rng = rng
        self._left = list(placed)
        self._strata = Strata(rng, questions, length)

    def pair(self, name: str) -> Pair | None:
        """A pair of a type, or None if the facts do not give one."""
        if name == "comparison":
            return self._comparison()
        if name == "multi-span":
            return self._several()
        found = [each for each in self._left if each.fact.attribute.type == name]
        return _single(self._take(found)) if found else None

    def any(self) -> Pair | None:
        """A pair about any one fact, or None if all are asked for."""
        return _single(self._take(self._left)) if self._left else None

    def _comparison(self) -> Pair | None:
        groups: dict[str, list[Placed]] = {}
        for each in self._left:
            if each.fact.attribute.more:
                groups.setdefault(each.fact.attribute.stem, []).append(each)
        found = [
            each
            for members in groups.values()
            for each in members
            if any(_size(each) != _size(other) for other in members)
        ]
        if not found:
            return None
        first = self._take(found)
        others = groups[first.fact.attribute.stem]
        second = self._other([each for each in others if _size(each) != _size(first)])
        return _compared(first, second)

    def _several(self) -> Pair | None:
        if len(self._left) < 2:
            return None
        first = self._take(self._left)
        parts = [first, self._other(self._left)]
        if self._left and self._rng.random() < 0.3:
            parts.append(self._other(self._left))
        return _joined(parts)

    def _take(self, found: list[Placed]) -> Placed:
        taken = self._strata.take(found, lambda each: each.evidence.start)
        self._left.remove(taken)
        return taken

    def _other(self, found: list[Placed]) -> Placed:
        taken = self._rng.choice(found)
        self._left.remove(taken)
        return taken


def _size(placed: Placed) -> int:
    return int(placed.fact.value.split()[0])


def _single(placed: Placed) -> Pair:
    fact = placed.fact
    return _pair(fact.question, [fact.value], fact.attribute.type, [placed], fact.prefix)


def _compared(first: Placed, second: Placed) -> Pair:
    more = first.fact.attribute.more
    item = max(first, second, key=_size).fact.item
    question = f"Which of the two {more}: {first.fact.item} or {second.fact.item}?"
    prefix = f" Of the two, the one that {more} is"
    return _pair(question, [item.split()[-1], item], "comparison", [first, second], prefix)


def _joined(parts: list[Placed]) -> Pair:
    """Several facts in one question. The answer may be the values alone or go on in sentences."""
    facts = [each.fact for each in parts]
    first, *others = [fact.question[:-1] for fact in facts]
    tail = [question[:1].lower() + question[1:] for question in others]
    question = ", ".join([first, *tail[:-1]]) + f", and {tail[-1]}?"
    values = [fact.value for fact in facts]
    short = ", ".join(values[:-1]) + f" and {values[-1]}"
    stems = [f"{fact.stem} {fact.value}" for fact in facts[1:]]
    long = ", ".join([values[0], *stems[:-1]]) + f" and {stems[-1]}"
    return _pair(question, [short, long], "multi-span", parts, facts[0].prefix)


def _pair(question: str, answers: list[str], type_: str, parts: list[Placed], prefix: str) -> Pair:
    return Pair(
        question=question,
        answers=tuple(answers),
        type=type_,
        evidence=tuple(part.evidence for part in parts),
        answer_prefix=prefix,
        provenance={"backend": "template", "generator": GENERATOR},
    )
