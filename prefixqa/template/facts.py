"""Items of an invented world, each with a name of its own, and the facts stated about them."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from prefixqa.template import lexicon
from prefixqa.template.grammar import EVENTS, PEOPLE, TERMS, THINGS, Attribute, person
from prefixqa.template.prose import Setting, capitalised

KINDS = {"thing": THINGS, "event": EVENTS, "person": PEOPLE, "term": TERMS}
WEIGHTS = {"thing": 5, "event": 2, "person": 2, "term": 2}
TAILS = {"thing": "things", "event": "events", "person": "people"}


@dataclass(frozen=True)
class Fact:
    """A value of an item's attribute. ``stem + " " + value + "."`` is the sentence that states it."""

    item: str
    attribute: Attribute
    value: str

    @property
    def stem(self) -> str:
        """The sentence up to the value, in lower case at its start."""
        return self.attribute.stem.format(item=self.item)

    @property
    def question(self) -> str:
        """The question that the value answers."""
        return self.attribute.question.format(item=self.item)

    @property
    def prefix(self) -> str:
        """What the answer goes on from: the stem as a sentence, with a blank in front."""
        return " " + capitalised(self.stem)


class World:
    """Draws items and facts; no name and no value of one attribute is given twice."""

    def __init__(self, rng: random.Random, setting: Setting) -> None:
        self._rng = rng
        self._setting = setting
        self._taken: set[str] = set()
        self._values: set[tuple[str, str]] = set()
        self._nouns: list[str] = []

    def facts(self, most: int = 3) -> list[Fact]:
        """One to ``most`` facts about a new item."""
        kind = self._rng.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
        item = self._item(kind)
        attributes = KINDS[kind]
        count = self._rng.randint(1, min(most, len(attributes)))
        return [self._fact(item, each) for each in self._rng.sample(attributes, count)]

    def code_name(self) -> str:
        """A new name like "amber-lantern". Its noun comes again only when all have been used."""
        while True:
            if not self._nouns:
                self._nouns = self._rng.sample(lexicon.NOUNS, len(lexicon.NOUNS))
            name = f"{self._rng.choice(lexicon.ADJECTIVES)}-{self._nouns.pop()}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def _item(self, kind: str) -> str:
        if kind == "term":
            term = self._new(lambda: "-".join(map(self._rng.choice, _TERM_PARTS)))
            return f"{'an' if term[0] in 'aeiou' else 'a'} {term}"
        head = self._rng.choice(getattr(self._setting, TAILS[kind]))
        name = self._new(lambda: person(self._rng)) if kind == "person" else self.code_name()
        return f"the {head} {name}"

    def _new(self, draw: Callable[[], str]) -> str:
        for _ in range(1000):
            if (name := draw()) not in self._taken:
                self._taken.add(name)
                return name
        raise ValueError("a document of this length needs more names than there are; shorten it")

    def _fact(self, item: str, attribute: Attribute) -> Fact:
        # Equal values would make two passages answer one question's wording, or a comparison a tie.
        value = attribute.draw(self._rng)
        for _ in range(50):
            if (attribute.stem, value) not in self._values:
                break
            value = attribute.draw(self._rng)
        self._values.add((attribute.stem, value))
        return Fact(item, attribute, value)


_TERM_PARTS = (lexicon.TERM_HEADS, lexicon.TERM_TAILS)
