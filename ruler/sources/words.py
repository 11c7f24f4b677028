"""Words, numbers and uuids that needles are made of."""

import functools
import random
import uuid
from collections.abc import Callable

KINDS = ("noun", "adjective", "verb")


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
    kinds = (_category(name, raw) for name in KINDS)
    return tuple(sorted({word for kind in kinds for word in kind}))


def _category(name: str, raw: bool = False) -> tuple[str, ...]:
    from wonderwords import Defaults, RandomWord  # late: settings are checked without it

    lists = {"noun": Defaults.NOUNS, "adjective": Defaults.ADJECTIVES, "verb": Defaults.VERBS}
    # Of this list alone: by default all of them are read into trees, which takes three times as long.
    words = RandomWord(**{name: lists[name]}).filter(include_categories=[name])
    return tuple(sorted({word for word in words if raw or word.isalpha()}))


def draw(kind: str, rng: random.Random) -> str:
    """One random key or value of a type: ``words``, ``numbers`` or ``uuids`` (RULER appendix B)."""
    return drawer(kind, rng)()


def drawer(kind: str, rng: random.Random) -> Callable[[], str]:
    """Draws one key or value of a type at each call; a long context has thousands of them.

    Raises:
        ValueError: an unknown type.
    """
    if kind == "words":
        first, second = _chooser(adjectives(), rng), _chooser(nouns(), rng)
        return lambda: f"{first()}-{second()}"
    if kind == "numbers":
        return lambda: str(rng.randrange(1_000_000, 10_000_000))
    if kind == "uuids":
        return lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))
    raise ValueError(f"unknown needle type {kind!r}; expected 'words', 'numbers' or 'uuids'")


def _chooser(pool: tuple[str, ...], rng: random.Random) -> Callable[[], str]:
    """``rng.choice(pool)`` at each call, the same choices in a third of the time."""
    count, draw_bits = len(pool), rng.getrandbits
    bits = count.bit_length()

    def choose() -> str:
        number = draw_bits(bits)
        while number >= count:
            number = draw_bits(bits)
        return pool[number]

    return choose


def draw_distinct(kind: str, count: int, rng: random.Random, taken: set[str]) -> list[str]:
    """``count`` random values of a type, none of them in ``taken``; ``taken`` grows by them."""
    next_value = drawer(kind, rng)
    return [distinct(next_value, taken) for _ in range(count)]


def distinct(next_value: Callable[[], str], taken: set[str]) -> str:
    """The next value that is not in ``taken``, to which it is added."""
    while (value := next_value()) in taken:
        pass
    taken.add(value)
    return value
