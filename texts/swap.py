"""Values that models know by heart, given to other countries, so that only the text has the answer."""

import random
from collections.abc import Sequence
from dataclasses import replace

from texts.factbook import FIELDS, Fact, Field, Profile

ALIKE = 12  # countries of like population among which a value moves, so that it stays believable


def swapped(profiles: Sequence[Profile], seed: str) -> list[Profile]:
    """The profiles with every fact's value from another country of like size; fields move one by one.

    No country keeps a value: within a group the values go round a random circle (Sattolo 1986). Where two
    countries of a group have equal values the new value may be the true one; ``told`` leaves those out.
    """
    moved: dict[tuple[str, Field], str] = {}
    for field in FIELDS:
        having = {
            each.code: fact for each in profiles for fact in each.facts if fact.field == field
        }
        by_size = sorted(
            (each for each in profiles if each.code in having),
            key=lambda each: (each.people, each.code),
        )
        rng = random.Random(f"texts {seed} {field.label}")
        for group in _groups(by_size):
            for giver, taker in zip(group, _circle(group, rng), strict=True):
                moved[taker.code, field] = having[giver.code].value
    return [
        replace(
            each,
            facts=tuple(
                Fact(fact.field, moved.get((each.code, fact.field), fact.value), fact.true)
                for fact in each.facts
            ),
        )
        for each in profiles
    ]


def _groups(profiles: list[Profile]) -> list[list[Profile]]:
    """Neighbours in ``ALIKE``s; the last group takes what is left over, so that none stands alone."""
    count = max(1, len(profiles) // ALIKE)
    ends = [ALIKE * n for n in range(1, count)] + [len(profiles)]
    return [profiles[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _circle(group: list[Profile], rng: random.Random) -> list[Profile]:
    """A random permutation that is one circle: nobody stays in place if there are two."""
    taken = list(group)
    for last in range(len(taken) - 1, 0, -1):
        other = rng.randrange(last)
        taken[last], taken[other] = taken[other], taken[last]
    return taken
