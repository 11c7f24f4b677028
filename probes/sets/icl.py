"""``icl``: requests with labels, a few examples of each label at random places; the label of a new request.

With many examples of few labels, as is usual, any small window holds every label. Here a label has
``shots`` examples, its name says nothing, and other labels share two of the three things that make it.
"""

import itertools
import random
import string
from collections.abc import Iterator

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, shuffled, strata
from probes.set import ProbeSet
from probes.text.names import code
from probes.text.words import listed
from rows.row import Row

HEAD = (
    "Below are requests, one in a line, each with a label behind an arrow. Requests to do the same "
    "thing with the same object for the same place have the same label. Read all of them: "
    "afterwards you are asked for the label of a new request.\n\n"
)
VERBS = listed("""
    book cancel change confirm move rename repair order return print send sell rent lend borrow paint clean
    inspect replace measure weigh deliver collect unlock register insure translate photograph polish store
    pack label count fold heat cool open close test copy
""")
OBJECTS = listed("""
    ticket table parcel invoice key lamp bicycle carpet mirror piano ladder kettle radio blanket basket
    printer camera helmet statue bottle curtain mattress fridge projector heater bench cabinet clock
    banner engine suitcase desk fan globe tent whistle scanner sofa stove telescope trolley umbrella
    violin wardrobe microphone keyboard drawer bucket anchor
""")
PLACES = listed("""
    airport harbour library museum school bakery hospital station theatre hotel garden workshop office market
    stadium castle chapel farm factory pharmacy gallery cinema prison embassy laboratory kitchen
    nursery garage warehouse lighthouse observatory tavern bank barracks courthouse gymnasium monastery
    quarry sawmill zoo
""")
FRAMES = (
    *("Please {} the {} for the {} {}.", "Could you {} the {} for the {} {}?"),
    *("I want to {} the {} for the {} {}.", "Somebody has to {} the {} for the {} {}."),
    *("It is time to {} the {} for the {} {}.", "We forgot to {} the {} for the {} {}."),
)
WHEN = (
    *(
        "today",
        "tomorrow",
        "on Monday",
        "before noon",
        "as soon as possible",
        "by the end of the week",
    ),
    *(
        "next month",
        "after lunch",
        "this evening",
        "within three days",
        "without delay",
        "on Friday",
    ),
)
ARROW, LETTERS = " =>", 4
KINDS = (Kind("icl", 1000),)

Label = tuple[str, str, str]


def draw(request: Request) -> Draw:
    """``count`` labels that are asked for, with all of their examples; the last one in a part of its own."""
    rng = request.rng()
    labels = shuffled(list(itertools.product(VERBS, OBJECTS, PLACES)), rng)
    codes = code(rng, set(), string.ascii_lowercase, LETTERS)
    shots = request.options["shots"]
    count = request.of(KINDS[0])
    planted, questions = [], []
    for label, last in zip(labels, strata(count, rng), strict=False):
        name = codes()
        *examples, new = utterances(label, shots + 1, rng)
        depths = [*(rng.random() * last for _ in examples[1:]), last]
        planted += [
            Planted(depth, Line(f"{text}{ARROW} {name}", (name,)))
            for depth, text in zip(depths, examples, strict=True)
        ]
        questions.append(Question("icl", f"\n{new}", ARROW, (name,), (name,)))
    filler = _filler(request, labels[count:], {each.answers[0] for each in questions})
    return Draw(HEAD, planted, filler, questions)


def utterances(label: Label, count: int, rng: random.Random) -> list[str]:
    """Different requests that have a label."""
    ways = rng.sample(list(itertools.product(FRAMES, WHEN)), count)
    return [frame.format(*label, when) for frame, when in ways]


def _filler(request: Request, labels: list[Label], taken: set[str]) -> Iterator[Line]:
    """Examples of other labels, as many of each, apart from each other."""
    rng = request.rng("filler")
    codes = code(rng, taken, string.ascii_lowercase, LETTERS)
    for start in range(0, len(labels), 64):
        lines = []
        for label in labels[start : start + 64]:
            name = codes()
            examples = utterances(label, request.options["shots"], rng)
            lines += [f"{text}{ARROW} {name}" for text in examples]
        rng.shuffle(lines)
        yield from map(Line, lines)


def scores(row: Row, prediction: str) -> dict[str, float]:
    """The label must come first. ``official`` as HELMET: the first line is the label."""
    line = next((each.strip() for each in prediction.split("\n") if each.strip()), "")
    found = float(line.split(" ")[0].strip(".,") == row.answers[0])
    return {"score": found, "official": score.strict(line, row.answers), "strict": found}


SET = ProbeSet(
    name="icl",
    about="labels by two examples among thousands: many-shot learning that no window can do",
    floor="0; 1 / labels of those that one sees",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=256,
    options={"shots": 2},
    known={"shots": tuple(range(1, 33))},
)
