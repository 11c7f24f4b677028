"""Filler prose of our own: sentences without names of people, places, countries or things that sets
ask about."""

import random
from collections.abc import Iterator

WHEN = (
    *(
        "In the morning",
        "At noon",
        "Late in the day",
        "After the rain",
        "Before supper",
        "On most days",
    ),
    *(
        "Every now and then",
        "Towards evening",
        "When it grew cold",
        "Without a word",
        "By and by",
        "As usual",
    ),
    *("For a long while", "Some days later", "At first light", "Little by little"),
)
WHO = (
    *(
        "the old gardener",
        "a quiet neighbour",
        "the tired driver",
        "a young clerk",
        "the tall visitor",
    ),
    *(
        "the night watch",
        "a passing stranger",
        "the new lodger",
        "an early guest",
        "the careful reader",
    ),
    *(
        "a group of walkers",
        "the youngest child",
        "the patient cook",
        "a former lodger",
        "the last customer",
    ),
    *("somebody in a grey coat",),
)
DID = (
    *(
        "looked for",
        "talked about",
        "thought of",
        "waited for",
        "wrote down a few lines about",
        "asked about",
    ),
    *(
        "laughed at",
        "forgot",
        "listened to a story about",
        "complained of",
        "grew fond of",
        "spoke softly of",
    ),
    *("drew a picture of", "dreamt of", "read a page about", "made a joke about"),
)
WHAT = (
    *(
        "the weather",
        "a broken fence",
        "the long winter",
        "an empty chair",
        "the price of bread",
        "a lost glove",
    ),
    *(
        "the smell of smoke",
        "a narrow path",
        "the sound of bells",
        "an unpaid bill",
        "a cup without a handle",
    ),
    *(
        "the way home",
        "a half-finished letter",
        "the colour of the sky",
        "an open window",
        "the next holiday",
    ),
)
AND = (
    *(
        "nobody answered",
        "the kettle began to sing",
        "a door closed somewhere",
        "the light changed slowly",
    ),
    *(
        "that was all for the day",
        "the others nodded",
        "it made no difference",
        "the fire burnt low",
    ),
    *(
        "there was nothing to add",
        "the clock went on",
        "the wind had turned",
        "no one was in a hurry",
    ),
)


def prose(seed: str) -> Iterator[str]:
    """Sentences without end, decided by ``seed``; they may repeat after some ten thousands."""
    rng = random.Random(f"prose/{seed}")
    while True:
        parts = [rng.choice(each) for each in (WHEN, WHO, DID, WHAT, AND)]
        yield "{}, {} {} {}, and {}.".format(*parts)
