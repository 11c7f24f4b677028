"""``hop``: chains of references as shuffled lines; what stands at the end of one."""

import random
import string
from collections.abc import Iterator

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, strata
from probes.set import ProbeSet
from probes.text.names import Maker, code, near, number
from rows.row import Row

HEAD = (
    "Below are notes about boxes, one in a line. A box either points to another box, or holds a "
    "number. Read all of them: afterwards you are told a box, and asked for the number to which it "
    "leads.\n\n"
)
NAME, DIGITS = 6, 7
KINDS = tuple(Kind(str(steps)) for steps in (1, 2, 3, 4))


def chain(box: str, steps: int, name: Maker, digits: Maker) -> tuple[list[str], str]:
    """The lines from ``box`` to a number, as many as ``steps``, and the number."""
    lines = []
    for _ in range(steps - 1):
        following = name()
        lines.append(f"Box {box} points to box {following}.")
        box = following
    value = digits()
    return [*lines, f"Box {box} holds {value}."], value


def draw(request: Request) -> Draw:
    """``count`` chains of each length. The line with the number stands in a part of the text of its own,
    those before it anywhere."""
    rng, taken = request.rng(), set[str]()
    name, digits = _makers(rng, taken)
    planted, questions = [], []
    for steps, kind in enumerate(KINDS, start=1):
        for depth in strata(request.of(kind), rng):
            box = name()
            lines, value = chain(box, steps, name, digits)
            depths = [*(rng.random() for _ in lines[1:]), depth]
            planted += [Planted(d, Line(t, (box,))) for d, t in zip(depths, lines, strict=True)]
            for other in near(box, request.options["near"], rng, taken):
                lines, _ = chain(other, steps, name, digits)
                planted += [Planted(rng.random(), Line(each)) for each in lines]
            text = f"\nTo which number does box {box} lead?\n"
            prefix = f"Box {box} leads to"
            questions.append(Question(kind.name, text, prefix, (value,), (box,), hops=steps))
    return Draw(HEAD, planted, _filler(request, taken), questions)


def _makers(rng: random.Random, taken: set[str]) -> tuple[Maker, Maker]:
    return code(rng, taken, string.ascii_uppercase, NAME), number(rng, taken, DIGITS)


def _filler(request: Request, taken: set[str]) -> Iterator[Line]:
    """Chains of all lengths, with their lines far apart."""
    rng = request.rng("filler")
    name, digits = _makers(rng, taken)
    waiting: list[str] = []
    while True:
        if len(waiting) < 64:
            for number_ in range(64):
                waiting += chain(name(), number_ % len(KINDS) + 1, name, digits)[0]
            rng.shuffle(waiting)
        yield Line(waiting.pop())


def scores(row: Row, prediction: str) -> dict[str, float]:
    """Only the number counts, not the boxes on the way. ``official``: it stands anywhere."""
    return score.strict_and_contained(prediction, row.answers)


SET = ProbeSet(
    name="hop",
    about="one to four references to follow, each by an exact name (after Retr.MultiHop of SCBench)",
    floor="0",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=512,
    options={"near": 0, "turns": 1},
)
