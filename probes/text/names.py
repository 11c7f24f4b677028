"""Made-up names and codes: of equal length, so that none is a part of another."""

import random
import string
from collections.abc import Callable

CONSONANTS, VOWELS = "bdfghklmnprstvz", "aeiou"
HEX = "0123456789abcdef"

Maker = Callable[[], str]


def distinct(make: Maker, taken: set[str]) -> Maker:
    """Makes a text that is not in ``taken`` at each call; ``taken`` grows by it."""

    def one() -> str:
        while (text := make()) in taken:
            pass
        taken.add(text)
        return text

    return one


def name(rng: random.Random, taken: set[str], syllables: int = 3) -> Maker:
    """Names such as ``Mirado``: 75 to the power of ``syllables`` of them."""
    parts = [first + second for first in CONSONANTS for second in VOWELS]
    return distinct(lambda: "".join(rng.choices(parts, k=syllables)).capitalize(), taken)


def code(rng: random.Random, taken: set[str], alphabet: str, length: int) -> Maker:
    """Texts of ``length`` characters of an alphabet."""
    return distinct(lambda: "".join(rng.choices(alphabet, k=length)), taken)


def number(rng: random.Random, taken: set[str], digits: int) -> Maker:
    """Numbers of so many digits, the first of them no zero."""
    low, high = 10 ** (digits - 1), 10**digits
    return distinct(lambda: str(rng.randrange(low, high)), taken)


def near(text: str, count: int, rng: random.Random, taken: set[str]) -> list[str]:
    """``count`` texts that differ from ``text`` in one character of its kind; ``taken`` grows by them."""
    places = [place for place, each in enumerate(text) if each.isalnum()]

    def make() -> str:
        place = rng.choice(places)
        old = text[place]
        kinds = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
        kind = next(each for each in kinds if old in each)
        if set(text) <= set(HEX + "-"):
            kind = HEX
        return text[:place] + rng.choice(kind.replace(old, "")) + text[place + 1 :]

    one = distinct(make, taken)
    return [one() for _ in range(count)]
