"""``ladder``: twelve rungs on one context: find, copy, copy and solve, solve (after RULERv2).

Three families climb the same four rungs. Rungs of a family ask about the same lines, so they differ in the
question alone, and one index serves all of them.
"""

import random
from collections.abc import Iterator

from probes.copies import scores
from probes.sample import Draw, Kind, Line, Planted, Question, Request, strata
from probes.set import ProbeSet
from probes.text.bank import Item, balanced, bank
from probes.text.names import Maker, distinct, name, number
from probes.text.words import WORDS, listed

HEAD = (
    "Below are notes, numbered questions and numbered documents, one in a line. Some numbers belong"
    " to several questions. Read all of them: afterwards you are asked to find some, to repeat "
    "them, or to answer them.\n\n"
)
FAMILIES, RUNGS = ("key", "value", "qa"), ("basic", "easy", "medium", "hard")
MOST = 120  # of a rung; each takes up to five items of the bank
KINDS = tuple(Kind(f"{family}_{rung}", MOST) for family in FAMILIES for rung in RUNGS)
VALUES = 4
ORDINALS = listed("first second third fourth")
TRADES = listed("baker clerk cook guard mason painter potter smith tailor weaver")
THEN = 'then, in a new line, write "Answer:" and'
DETAILS = (
    *(
        "and its doors are green",
        "not far from the bridge",
        "and it has a tall roof",
        "behind the market",
    ),
    *("and a bell hangs over its gate", "where the road bends", "and it was built of stone"),
)


class Makers:
    """Makes the parts of lines, each of them once."""

    def __init__(self, rng: random.Random, taken: set[str]) -> None:
        self.rng = rng
        self.key: Maker = distinct(lambda: "-".join(rng.choices(WORDS, k=3)), taken)
        self.value = number(rng, taken, 10)
        self.id = number(rng, taken, 7)
        self.name = name(rng, taken)

    def note(self, key: str) -> tuple[str, str]:
        """A note on a key, and its number."""
        value = self.value()
        return f"Note: a number of {key} is {value}.", value

    def documents(self) -> tuple[list[tuple[str, str]], str, str]:
        """Two documents as (number, text), the person they are about, and the town they lead to."""
        person, house, town = self.name(), self.name(), self.name()
        trade, detail = self.rng.choice(TRADES), self.rng.choice(DETAILS)
        texts = [
            f"{person} is a {trade} at the house {house}.",
            f"The house {house} stands in {town}, {detail}.",
        ]
        return [(self.id(), text) for text in texts], person, town


def draw(request: Request) -> Draw:
    """``count`` questions of each rung."""
    rng, taken = request.rng(), set[str]()
    make, items = Makers(rng, taken), balanced(rng)
    planted: list[Planted] = []
    questions: list[Question] = []
    used: set[str] = set()
    count = min(request.count, MOST)
    for depth in strata(count, rng):
        item = next(items)
        used.add(item.text)
        questions += _key(planted, depth, make, item)
    for last in strata(count, rng):
        four = [next(items) for _ in range(VALUES)]
        used |= {each.text for each in four}
        questions += _value(planted, last, make, four)
    for last in strata(count, rng):
        questions += _qa(planted, last, make)
    questions.sort(key=lambda each: [kind.name for kind in KINDS].index(each.kind))
    return Draw(HEAD, planted, _filler(request, taken, used), questions)


def _key(planted: list[Planted], depth: float, make: Makers, item: Item) -> list[Question]:
    key, number_ = make.key(), make.id()
    note, value = make.note(key)
    planted.append(Planted(depth, Line(note, (key,))))
    planted.append(Planted(depth, Line(f"Question {number_}: {item.text}", (number_,))))
    again = f"Repeat question {number_} with its options"
    prefix, letter = f"Question {number_}:", (item.letter,)
    return [
        _question("key_basic", f"What is the number of {key}?", "The number is", (value,), (key,)),
        _question(
            "key_easy", f"{again}.", prefix, (item.text,), (number_,), metric="lines", copied=True
        ),
        _question(
            "key_medium",
            f"{again}, {THEN} its right letter.",
            prefix,
            letter,
            (number_,),
            floor=0.25,
            metric="letter",
            gold=f"{item.text}\nAnswer: {item.letter}",
        ),
        _question(
            "key_hard",
            f"Which letter is right in question {number_}?",
            "Answer:",
            letter,
            (number_,),
            floor=0.25,
            metric="letter",
        ),
    ]


def _value(planted: list[Planted], last: float, make: Makers, four: list[Item]) -> list[Question]:
    key, number_, rng = make.key(), make.id(), make.rng
    notes = [make.note(key) for _ in range(VALUES)]
    depths = sorted([*(rng.random() * last for _ in range(VALUES - 1)), last])
    texts = [item.text for item in four]
    for depth, (note, _), text in zip(depths, notes, texts, strict=True):
        planted.append(Planted(depth, Line(note, (key,))))
        planted.append(Planted(depth, Line(f"Question {number_}: {text}", (number_,))))
    chosen = rng.randrange(VALUES)
    which = f"the {ORDINALS[chosen]} question with the number {number_}"
    every = f"Repeat all {VALUES} questions with the number {number_}, one in a line"
    values, one = tuple(value for _, value in notes), (texts[chosen],)
    gold = "\n".join([*texts, f"Answer: {texts[chosen]}"])
    return [
        _question(
            "value_basic",
            f"What are all {VALUES} numbers of {key}?",
            "The numbers are",
            values,
            (key,),
            metric="set",
            several=True,
            gold=", ".join(values),
        ),
        _question(
            "value_easy",
            f"{every}.",
            "Questions:",
            tuple(texts),
            (number_,),
            metric="lines",
            copied=True,
            gold="\n".join(texts),
        ),
        _question(
            "value_medium",
            f"{every}, {THEN} {which} again.",
            "Questions:",
            one,
            (number_,),
            metric="lines",
            gold=gold,
        ),
        _question(
            "value_hard",
            f"Repeat {which}.",
            f"Question {number_}:",
            one,
            (number_,),
            metric="lines",
            copied=True,
        ),
    ]


def _qa(planted: list[Planted], last: float, make: Makers) -> list[Question]:
    documents, person, town = make.documents()
    depths = [make.rng.random() * last, last]
    make.rng.shuffle(depths)
    for depth, (number_, text) in zip(depths, documents, strict=True):
        planted.append(Planted(depth, Line(f"Document {number_}: {text}", (number_, person))))
    (first, first_text), (second, second_text) = documents
    asked = f"In which town does {person} work?"
    copy = f"Repeat the two documents that tell it, one in a line, {THEN} the town."
    gold = f"{first_text}\n{second_text}\nAnswer: {town}"
    return [
        _question(
            "qa_basic",
            f'Which document says: "{first_text}"',
            "The number of the document is",
            (first,),
            (first,),
        ),
        _question(
            "qa_easy",
            f"{asked} Give the number of a document that is needed.",
            "The number of the document is",
            (first, second),
            (person,),
            metric="part",
        ),
        _question(
            "qa_medium",
            f"{asked} {copy}",
            "Documents:",
            (town,),
            (person,),
            hops=2,
            gold=gold,
        ),
        _question("qa_hard", asked, "Answer:", (town,), (person,), hops=2),
    ]


def _question(
    kind: str,
    text: str,
    prefix: str,
    answers: tuple[str, ...],
    needs: tuple[str, ...],
    floor: float = 0.0,
    hops: int = 1,
    gold: str = "",
    **meta: str | bool,
) -> Question:
    extra = {"metric": "part", "gold": gold, "several": False, "copied": False, **meta}
    return Question(
        kind, f"\n{text}\n", prefix, answers, needs, floor, hops=hops, gold=gold, meta=extra
    )


def _filler(request: Request, taken: set[str], used: set[str]) -> Iterator[Line]:
    """Lines as those asked for, none of them a question that is asked."""
    rng = request.rng("filler")
    make = Makers(rng, taken)
    texts = [item.text for item in bank() if item.text not in used]
    waiting: list[str] = []
    while True:
        if len(waiting) < 64:
            for _ in range(16):
                for count in (1, VALUES):
                    key, number_ = make.key(), make.id()
                    waiting += [make.note(key)[0] for _ in range(count)]
                    waiting += [f"Question {number_}: {t}" for t in rng.sample(texts, count)]
                waiting += [f"Document {number_}: {text}" for number_, text in make.documents()[0]]
            rng.shuffle(waiting)
        yield Line(waiting.pop())


SET = ProbeSet(
    name="ladder",
    about="twelve rungs on one context: find, copy, copy and solve, solve (after RULERv2)",
    floor="0; letters 1/4",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=1536,
    options={},
)
