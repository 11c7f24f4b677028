"""``mrcr``: a long conversation in which the same request is made several times; repeat its i-th answer.

After the task of OpenAI and DeepMind (arXiv 2409.12640), flattened to text, so that no chat template
cuts the fixed context. The pieces are of drawn words without a common template: else a wrong piece
would score half.
"""

import random
import string
from collections.abc import Iterator
from difflib import SequenceMatcher

from probes.sample import Draw, Kind, Line, Planted, Question, Request, shuffled, strata
from probes.set import ProbeSet
from probes.text.names import code
from probes.text.words import GOODS, WORDS, listed
from rows.row import Row

HEAD = (
    "Below is a conversation. The user asks for short pieces of writing, some of them several "
    "times, and the assistant writes them. Read all of it: afterwards you are asked to repeat one "
    "of the pieces.\n\n"
)
FORMATS = listed("poem riddle letter speech toast fable song prayer recipe diary")
TIMES = (2, 4, 8)  # that a request is made
KINDS = tuple(Kind(str(times), 200) for times in TIMES)
LINES, LENGTHS, CODE = 3, (10, 11, 12, 13), 10
ORDINALS = listed("1st 2nd 3rd 4th 5th 6th 7th 8th")


def piece(rng: random.Random) -> str:
    """Three lines of drawn words."""
    return "\n".join(
        " ".join(rng.choices(WORDS, k=rng.choice(LENGTHS))).capitalize() for _ in range(LINES)
    )


def turn(form: str, topic: str, text: str) -> str:
    """A request with its answer."""
    return f"User: Write a {form} about {topic}.\nAssistant: {text}\n"


def draw(request: Request) -> Draw:
    """As many requests as give ``count`` pieces for each number of times; every piece is a question.

    Each piece of a kind stands in a part of the text of its own.
    """
    rng = request.rng()
    pairs = iter(shuffled([(form, topic) for form in FORMATS for topic in GOODS], rng))
    key = code(rng, set(), string.ascii_letters + string.digits, CODE)
    planted, asked, questions = [], set[tuple[str, str]](), []
    for times, kind in zip(TIMES, KINDS, strict=True):
        wanted = request.of(kind)
        groups = -(-wanted // times)
        places = shuffled(strata(groups * times, rng), rng)
        found = []
        for number in range(groups):
            form, topic = pair = next(pairs)
            asked.add(pair)
            pieces = [piece(rng) for _ in range(times)]
            for place, text in zip(sorted(places[number::groups]), pieces, strict=True):
                line = Line(turn(form, topic, text), (text,))
                planted.append(Planted(place, line))
                found.append((place, _question(kind.name, pair, pieces, text, key())))
        found = sorted(rng.sample(found, wanted), key=lambda each: each[0])
        questions += [question for _, question in found]
    return Draw(HEAD, planted, _filler(request, asked), questions)


def _question(kind: str, pair: tuple[str, str], pieces: list[str], text: str, key: str) -> Question:
    form, topic = pair
    which = f"{ORDINALS[pieces.index(text)]} {form} about {topic}"
    return Question(
        kind,
        f"User: Write {key} and then, without a blank between, repeat the {which}. Write nothing else.\n",
        "Assistant:",
        (key + text,),
        tuple(pieces),  # which is the i-th is told only by those before it
        floor=1 / len(pieces),
        meta={"key": key, "pieces": pieces, "index": pieces.index(text)},
    )


def _filler(request: Request, asked: set[tuple[str, str]]) -> Iterator[Line]:
    rng = request.rng("filler")
    pairs = [(form, topic) for form in FORMATS for topic in GOODS]
    pairs = [pair for pair in pairs if pair not in asked]
    while True:
        yield Line(turn(*rng.choice(pairs), piece(rng)))


def ratio(one: str, other: str, junk: bool = False) -> float:
    """Likeness of two texts in [0, 1]. ``junk``: as published, where every character that makes up more than
    1 % of a text of 200 or more is thrown away, and the number with it."""
    return SequenceMatcher(None, one, other, autojunk=junk).ratio()


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``score`` and ``exact_index``: 1 if the piece that is most like the prediction is the right one.

    ``official`` is the published ratio, 0 unless the prediction begins with the string; blanks before
    it do not count, as a tokenizer may make one. ``ratio_nojunk`` is the same without throwing
    characters away.
    """
    extra = row.meta["extra"]
    said = prediction.strip()
    begins = said.startswith(extra["key"])
    said = said.removeprefix(extra["key"])
    right = extra["pieces"][extra["index"]]
    likeness = [ratio(said, each) for each in extra["pieces"]]
    best = max(likeness)
    nearest = [number for number, each in enumerate(likeness) if each == best]
    index = float(best > 0 and nearest == [extra["index"]])
    return {
        "score": index,
        "official": ratio(said, right, junk=True) if begins else 0.0,
        "ratio_nojunk": likeness[extra["index"]] if begins else 0.0,
        "exact_index": index,
    }


SET = ProbeSet(
    name="mrcr",
    about="one of 2, 4 or 8 answers to the same request: evidence that only its order tells apart",
    floor="1/2, 1/4, 1/8",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=2048,
    options={},
)
