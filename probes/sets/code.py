"""``code``: functions of the standard library under other names, found by what they do, and chains of calls.

After RepoQA (arXiv 2406.06025) and Code.Run of InfiniteBench. The code is read from the Python that
makes the rows (``probes.text.library``), so rows of two versions of Python are different data, and say so.
"""

import random
from collections.abc import Iterator

from probes import score
from probes.bleu import bleu
from probes.sample import Draw, Kind, Line, Planted, Question, Request, shuffled, strata
from probes.set import ProbeSet
from probes.text import library
from probes.text.names import Maker, distinct
from probes.text.words import WORDS
from rows.row import Row

HEAD = (
    "Below are functions of a code base, one after another. Read all of them: afterwards you are "
    "asked which one does something, to repeat one, or what a call returns.\n\n"
)
KINDS = (Kind("name", 100), Kind("repeat", 100), Kind("run"))
DEPTHS = (1, 2, 3, 4)  # functions of a chain
LIKE = 0.8  # BLEU from which a repeated function passes, RepoQA's headline
FENCE = "```"
CHAINS = 4  # one function in so many of the filler belongs to a chain


def names(rng: random.Random, taken: set[str]) -> Maker:
    """Makes names of functions."""
    return distinct(lambda: "_".join(rng.choices(WORDS, k=3)), taken)


def draw(request: Request) -> Draw:
    """``count`` functions of the library that are described, and as many chains of calls."""
    rng, taken = request.rng(), set[str]()
    name = names(rng, taken)
    planted: list[Planted] = []
    found = _described(request, name, rng)
    texts = [text for _, _, text in found]
    asked: list[tuple[Question, Question]] = []
    for depth, (title, description, text) in zip(strata(len(found), rng), found, strict=True):
        planted.append(Planted(depth, Line(f"{text}\n", (title,))))
        said = library.plain_description(description)
        asked.append(
            (
                Question(
                    "name",
                    f"\nWhich function does this: {said}\n",
                    "Its name is",
                    (title,),
                    (title,),
                ),
                Question(
                    "repeat",
                    f"\nRepeat the function that does this: {said}\n",
                    f"{FENCE}python\n",
                    (text,),
                    (title,),
                    meta={"all": texts},
                ),
            )
        )
    questions = [one for one, _ in asked] + [other for _, other in asked]
    for number, last in enumerate(strata(request.count, rng)):
        functions, total = chain(DEPTHS[number % len(DEPTHS)], name, rng)
        first = functions[0].split("(")[0].removeprefix("def ")
        depths = [*(rng.random() * last for _ in functions[1:]), last]
        rng.shuffle(depths)
        planted += [
            Planted(d, Line(f"{t}\n", (first,))) for d, t in zip(depths, functions, strict=True)
        ]
        given = rng.randrange(10, 100)
        questions.append(
            Question(
                "run",
                f"\nWhat does {first}({given}) return?\n",
                f"{first}({given}) returns",
                (str(given + total),),
                (first,),
                hops=len(functions),
            )
        )
    return Draw(HEAD, planted, _filler(request, taken, texts), questions)


def _described(request: Request, name: Maker, rng: random.Random) -> list[tuple[str, str, str]]:
    """Functions as (new name, description, text), no two with one name or one description."""
    found: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    for each in library.stream(request.rng("library")):
        if len(found) == min(request.count, KINDS[0].most or 0):
            break
        if each.description and not {each.name, each.description} & seen:
            seen |= {each.name, each.description}
            title = name()
            found.append((title, each.description, library.renamed(each, title, _locals(rng))))
    return shuffled(found, rng)


def _locals(rng: random.Random) -> Maker:
    return distinct(lambda: "_".join(rng.choices(WORDS, k=2)), set())


def chain(depth: int, name: Maker, rng: random.Random) -> tuple[list[str], int]:
    """Functions that call one another and add a number each, the first one first, and the sum of the
    numbers."""
    titles = [name() for _ in range(depth)]
    functions, total = [], 0
    for title, following in zip(titles, [*titles[1:], ""], strict=True):
        number = rng.randrange(10_000, 100_000)
        total += number
        inner = f"{following}(value)" if following else "value"
        functions.append(f"def {title}(value):\n    return {inner} + {number}")
    return functions, total


def _filler(request: Request, taken: set[str], asked: list[str]) -> Iterator[Line]:
    """Other functions of the library, and chains; where the library ends, chains alone."""
    rng = request.rng("filler")
    name = names(rng, taken)
    described = {text.split("(", 1)[1] for text in asked}
    source = (each for each in library.stream(rng) if not each.description)
    waiting: list[str] = []
    while True:
        if len(waiting) < 16:
            for _ in range(8):
                for depth in DEPTHS:
                    waiting += chain(depth, name, rng)[0]
            rng.shuffle(waiting)
        for _ in range(CHAINS - 1):
            if (each := next(source, None)) is not None:
                text = library.renamed(each, name(), _locals(rng))
                if text.split("(", 1)[1] not in described:
                    yield Line(f"{text}\n")
        yield Line(f"{waiting.pop()}\n")


def block(prediction: str) -> str:
    """The code in a prediction: up to the fence that ends it, or between two fences."""
    parts = prediction.split(FENCE)
    if parts[0].strip() or len(parts) == 1:
        return parts[0]
    return parts[1].removeprefix("python")


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``name`` and ``run``: the first line. ``repeat``, ``official`` as RepoQA: 1 if of all functions
    asked about the right one is the most like what was said, with a BLEU of 0.8 or more; ``strict``:
    equal but for blanks."""
    if row.meta["kind"] != "repeat":
        found = score.strict(prediction, row.answers)
        return {"score": found, "official": found, "strict": found}
    said, right = block(prediction), row.answers[0]
    likeness = bleu(said, right)
    others = row.meta["extra"]["all"]
    passed = float(likeness >= LIKE and all(bleu(said, each) <= likeness for each in others))
    return {"score": passed, "official": passed, "strict": float(said.split() == right.split())}


SET = ProbeSet(
    name="code",
    about="code by what it does, under new names, and chains of calls (after RepoQA and Code.Run)",
    floor="0",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=4096,
    options={},
    data=lambda: {"code": library.version()},
)
