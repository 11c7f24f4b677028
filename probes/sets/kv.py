"""``kv``: which value a key has, in a long list of keys that look alike."""

import random
import uuid
from collections.abc import Iterator

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, strata
from probes.set import ProbeSet
from probes.text.names import HEX, Maker, code, distinct, near
from probes.text.words import WORDS
from rows.row import Row

HEAD = (
    "Below is a list of keys. Each line has a key and, after a colon, its value. Read all of it: "
    "afterwards you are asked for the values of single keys.\n\n"
)
KEY_TYPES = ("hex", "words", "uuid")
DIGITS = 12  # of keys and values; a UUID costs three times the tokens and says no more
KINDS = (Kind("kv"),)


def keys(key_type: str, rng: random.Random, taken: set[str]) -> Maker:
    """Makes keys of a type of ``KEY_TYPES``."""
    if key_type == "hex":
        return code(rng, taken, HEX, DIGITS)
    if key_type == "words":
        return distinct(lambda: "-".join(rng.choices(WORDS, k=3)), taken)
    return distinct(lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)), taken)


def draw(request: Request) -> Draw:
    """``count`` pairs that are asked for, one in each part of the list, and their decoys."""
    rng, taken = request.rng(), set[str]()
    key = keys(request.options["key_type"], rng, taken)
    value = code(rng, taken, HEX, DIGITS)
    planted, questions = [], []
    for depth in strata(request.count, rng):
        asked, answer = key(), value()
        planted.append(Planted(depth, Line(f"{asked}: {answer}", (asked,))))
        for other in near(asked, request.options["near"], rng, taken):
            planted.append(Planted(rng.random(), Line(f"{other}: {value()}")))
        text = f"\nWhich value does the key {asked} have?\n"
        questions.append(Question("kv", text, f"{asked}:", (answer,), (asked,)))
    return Draw(HEAD, planted, _filler(request, taken), questions)


def _filler(request: Request, taken: set[str]) -> Iterator[Line]:
    rng = request.rng("filler")
    key, value = keys(request.options["key_type"], rng, taken), code(rng, taken, HEX, DIGITS)
    while True:
        yield Line(f"{key()}: {value()}")


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``official`` as SCBench: the value stands anywhere in the prediction."""
    return score.strict_and_contained(prediction, row.answers)


SET = ProbeSet(
    name="kv",
    about="one key among many that look alike (after Retr.KV of SCBench)",
    floor="0",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=256,
    options={"key_type": "hex", "near": 0, "turns": 1},
    known={"key_type": KEY_TYPES},
)
