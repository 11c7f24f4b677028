"""Words, numbers and uuids that needles are made of."""

import functools
import random
import uuid

from wonderwords import RandomWord


@functools.cache
def nouns() -> tuple[str, ...]:
    """All nouns of wonderwords, sorted, without those that contain a blank or a hyphen."""
    return _category("noun")


@functools.cache
def adjectives() -> tuple[str, ...]:
    """All adjectives of wonderwords, sorted, without those that contain a blank or a hyphen."""
    return _category("adjective")


@functools.cache
def vocabulary(raw: bool = False) -> tuple[str, ...]:
    """All nouns, adjectives and verbs of wonderwords, each once, sorted.

    ``raw``: with those that contain a blank or a hyphen, which a list of words makes ambiguous.
    """
    kinds = (_category(name, raw) for name in ("noun", "adjective", "verb"))
    return tuple(sorted({word for kind in kinds for word in kind}))


def _category(name: str, raw: bool = False) -> tuple[str, ...]:
    words = RandomWord().filter(include_categories=[name])
    return tuple(sorted({word for word in words if raw or word.isalpha()}))


def draw(kind: str, rng: random.Random) -> str:
    """One random key or value of a type: ``words``, ``numbers`` or ``uuids`` (RULER appendix B)."""
    if kind == "words":
        return f"{rng.choice(adjectives())}-{rng.choice(nouns())}"
    if kind == "numbers":
        return str(rng.randrange(1_000_000, 10_000_000))
    if kind == "uuids":
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))
    raise ValueError(f"unknown needle type {kind!r}; expected 'words', 'numbers' or 'uuids'")


def draw_distinct(kind: str, count: int, rng: random.Random, taken: set[str]) -> list[str]:
    """``count`` random values of a type, none of them in ``taken``; ``taken`` grows by them."""
    drawn: list[str] = []
    while len(drawn) < count:
        value = draw(kind, rng)
        if value not in taken:
            taken.add(value)
            drawn.append(value)
    return drawn
