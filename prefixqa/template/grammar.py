"""What can be said about things: kinds of things, their attributes, and how each is stated and asked.

An attribute's ``stem`` stands directly before the value in the document, and the same stem, as the
answer's prefix, ends the question: whoever finds the one finds the other.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from prefixqa.template import lexicon

MONTHS = lexicon.words(
    "January February March April May June July August September October November December"
)
Drawer = Callable[[random.Random], str]


@dataclass(frozen=True)
class Attribute:
    """One thing to say about an item.

    Attributes:
        type: of the question it gives (``prefixqa.document.TYPES``).
        stem: sentence up to the value, with ``{item}`` for the item's name.
        question: the question, with ``{item}``.
        draw: makes a value; numbers begin with their digits.
        more: for values to compare, "which {more}, A or B?"; else empty.
    """

    type: str
    stem: str
    question: str
    draw: Drawer
    more: str = ""


def number(low: int, high: int, unit: str) -> Drawer:
    """Whole numbers with a unit behind them."""
    return lambda rng: f"{rng.randint(low, high)} {unit}"


def one_of(values: tuple[str, ...]) -> Drawer:
    """A value of a list."""
    return lambda rng: rng.choice(values)


def year(rng: random.Random) -> str:
    return str(rng.randint(1802, 1998))


def day(rng: random.Random) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {year(rng)}"


def person(rng: random.Random) -> str:
    first = rng.choice(lexicon.FIRST_NAMES)
    return f"{first} {rng.choice(lexicon.SURNAME_STARTS)}{rng.choice(lexicon.SURNAME_ENDS)}"


ACTS = lexicon.words("""
    boiling brushing coating cooling drying filling freezing heating lifting pressing rinsing rolling
    rubbing shaking soaking spinning steaming stretching tapping turning washing weighing wrapping""")
WAYS = ("in", "with", "under", "over")
GRADES = lexicon.words("clean cold fine fresh heavy hot salted sour thick thin warm wet")
STUFFS = lexicon.words(
    "ash brine canvas chalk cloth felt gravel lime milk oil paper sand soap steam water wax"
)
SHAPES = lexicon.words("broad curved deep flat hollow long loose narrow round short steep thin")
THINGS_MEANT = lexicon.words(
    "bank beam belt channel crack fold heap hole layer lid pile pipe ring row shelf sleeve strip"
)
STATES = lexicon.words("burnt clean cold dried dry frozen heated old packed sunken warm wet")
GROUNDS = lexicon.words(
    "ash bark brick canvas clay coal earth glass grass gravel ice iron leaves moss rope sand snow"
)


def procedure(rng: random.Random) -> str:
    """A way to do something: "boiling it in thin oil"."""
    act, way = rng.choice(ACTS), rng.choice(WAYS)
    return f"{act} it {way} {rng.choice(GRADES)} {rng.choice(STUFFS)}"


def meaning(rng: random.Random) -> str:
    """What a term means: "a narrow strip of frozen sand"."""
    shape, thing = rng.choice(SHAPES), rng.choice(THINGS_MEANT)
    return f"a {shape} {thing} of {rng.choice(STATES)} {rng.choice(GROUNDS)}"


# Every stem names the item and then the attribute right before the value, in few words.
THINGS = (
    Attribute(
        *("numeric", "{item} weighs", "How much does {item} weigh?"),
        *(number(21, 989, "kilograms"), "weighs more"),
    ),
    Attribute(
        *("numeric", "{item} measures", "How long is {item}?"),
        *(number(11, 640, "metres"), "is longer"),
    ),
    Attribute(
        *("numeric", "{item} cost", "How much did {item} cost?"),
        *(number(120, 989, "crowns"), "cost more"),
    ),
    Attribute("numeric", "{item} dates from", "From which year does {item} date?", year),
    Attribute("numeric", "{item} opened on", "On which day did {item} open?", day),
    Attribute("factual", "{item} is made of", "What is {item} made of?", one_of(lexicon.MATERIALS)),
    Attribute("factual", "{item} is painted", "Which colour is {item}?", one_of(lexicon.COLOURS)),
    Attribute(
        "factual", "{item} stands behind", "What does {item} stand behind?", one_of(lexicon.PLACES)
    ),
    Attribute("factual", "{item} was built by", "Who built {item}?", person),
    Attribute("factual", "{item} is kept by", "Who keeps {item}?", person),
    Attribute("factual", "{item} came from", "Where did {item} come from?", one_of(lexicon.TOWNS)),
    Attribute("method", "{item} is cleaned by", "How is {item} cleaned?", procedure),
    Attribute("method", "{item} was repaired by", "How was {item} repaired?", procedure),
    Attribute("method", "{item} is tested by", "How is {item} tested?", procedure),
)

EVENTS = (
    Attribute(
        *("numeric", "{item} lasted", "How long did {item} last?"),
        *(number(11, 720, "minutes"), "lasted longer"),
    ),
    Attribute(
        *("numeric", "{item} cost", "How much did {item} cost?"),
        *(number(120, 989, "crowns"), "cost more"),
    ),
    Attribute(
        *("numeric", "{item} gave", "How many readings did {item} give?"),
        *(number(12, 980, "readings"), "gave more readings"),
    ),
    Attribute("numeric", "{item} began on", "On which day did {item} begin?", day),
    Attribute("factual", "{item} was led by", "Who led {item}?", person),
    Attribute(
        "factual",
        "{item} took place in",
        "In which town did {item} take place?",
        one_of(lexicon.TOWNS),
    ),
    Attribute(
        "factual", "{item} dealt with", "What did {item} deal with?", one_of(lexicon.SUBJECTS)
    ),
    Attribute(
        "method", "{item} prepared its sample by", "How did {item} prepare its sample?", procedure
    ),
    Attribute(
        "method", "{item} reduced its error by", "How did {item} reduce its error?", procedure
    ),
)

PEOPLE = (
    Attribute("numeric", "{item} was born in", "In which year was {item} born?", year),
    Attribute("numeric", "{item} joined on", "On which day did {item} join?", day),
    Attribute(
        *("numeric", "{item} earned", "How much did {item} earn?"),
        *(number(120, 989, "crowns"), "earned more"),
    ),
    Attribute("factual", "{item} grew up in", "Where did {item} grow up?", one_of(lexicon.TOWNS)),
    Attribute("factual", "{item} studied", "What did {item} study?", one_of(lexicon.SUBJECTS)),
    Attribute("factual", "{item} worked with", "With whom did {item} work?", person),
)

TERMS = (Attribute("definition", "{item} is", "What is {item}?", meaning),)
