"""``prefix_suffix``: which string has this beginning and that end, among strings that have one of the two."""

import string
from collections.abc import Iterator

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, strata
from probes.set import ProbeSet
from probes.text.names import Maker, code, near
from rows.row import Row

HEAD = (
    "Below is a list of strings, one in a line. Each has a beginning, a middle and an end with "
    "hyphens between. Read all of it: afterwards you are told a beginning and an end, and asked for"
    " the string.\n\n"
)
END, MIDDLE = 5, 8  # letters; 12 million ends, and 10 million tokens have a tenth of them


def draw(request: Request) -> Draw:
    """``count`` strings that are asked for. Each shares its beginning with one other, and its end with
    one."""
    rng, taken = request.rng(), set[str]()
    end, middle = _makers(request, "", taken)
    planted, questions = [], []
    for depth in strata(request.count, rng):
        first, last, between = end(), end(), middle()
        full = f"{first}-{between}-{last}"
        planted.append(Planted(depth, Line(full, (full,))))
        others = [f"{first}-{middle()}-{end()}", f"{end()}-{middle()}-{last}"]
        alike = near(first, request.options["near"], rng, taken)
        others += [f"{each}-{middle()}-{last}" for each in alike]
        planted += [Planted(rng.random(), Line(each)) for each in others]
        text = f"\nWhich string begins with {first} and ends with {last}?\n"
        questions.append(Question("prefix_suffix", text, "The string is", (full, between), (full,)))
    return Draw(HEAD, planted, _filler(request, taken), questions)


def _makers(request: Request, part: str, taken: set[str]) -> tuple[Maker, Maker]:
    rng = request.rng(part)
    letters = string.ascii_lowercase
    return code(rng, taken, letters, END), code(rng, taken, letters, MIDDLE)


def _filler(request: Request, taken: set[str]) -> Iterator[Line]:
    """Strings in pairs that share a beginning, and pairs that share an end, as those asked for do."""
    rng = request.rng("order")
    end, middle = _makers(request, "filler", taken)
    waiting: list[str] = []
    while True:
        if len(waiting) < 2:
            for _ in range(64):
                shared = end()
                waiting += [f"{shared}-{middle()}-{end()}" for _ in range(2)]
                shared = end()
                waiting += [f"{end()}-{middle()}-{shared}" for _ in range(2)]
            rng.shuffle(waiting)
        yield Line(waiting.pop())


def scores(row: Row, prediction: str) -> dict[str, float]:
    """The string, or its middle, which is what the question does not tell. ``official``: it stands
    anywhere."""
    found = score.strict(prediction, row.answers)
    return {
        "score": found,
        "official": score.contains(prediction, row.answers[1:]),
        "strict": found,
    }


SET = ProbeSet(
    name="prefix_suffix",
    about="a string by both of its ends; others have one of them (after Retr.Prefix-Suffix of SCBench)",
    floor="0",
    kinds=(Kind("prefix_suffix"),),
    draw=draw,
    scores=scores,
    shortest=256,
    options={"near": 0, "turns": 1},
)
