"""``story``: chapters with a place, a person and a purchase: one chapter, two that belong together, or
all of a part.

After the story tasks of the sparse frontier study (arXiv 2504.17768), told anew. The counties hold a
half, a quarter, an eighth ... of the chapters, so questions that need all chapters of a county have
densities from high to low.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, before, shuffled, strata
from probes.set import ProbeSet
from probes.shares import dealt
from probes.text.names import Maker, name, number
from probes.text.words import listed
from probes.world import Event, World
from rows.row import Row

HEAD = (
    "Below is a long story in short chapters. Each has a number and names its county, and tells of "
    "a person, a place, and mostly of something that is bought. Read all of it: afterwards you are "
    "asked about chapters.\n\n"
)
COUNTIES = 6  # with a share each: 1/2, 1/4, ... 1/64 of the chapters
ELSEWHERE = 4  # counties of the chapters that other questions are about
KINDS = (Kind("retrieval"), Kind("multihop"), Kind("filtering", COUNTIES))
GOODS = listed(
    "lamp rope axe vase drum cloak chest mirror saddle kettle fiddle rug globe lens flag"
)
DEEDS = (
    *(
        "listened to a long speech",
        "slept badly",
        "watched the boats",
        "lost a wager",
        "met an old friend",
    ),
    *("mended a boot", "argued about the rent", "waited for the mail", "danced until midnight"),
    *("counted the chimneys", "missed the coach", "ate too much soup"),
)
FORMS = (
    ("Who is chapter {} about?", "It is about", "who"),
    ("Which place does chapter {} lead to?", "It leads to", "place"),
    ("What is bought in chapter {}?", "It is the", "item"),
)
NONE = 3  # chapters of a county without a purchase, at most


@dataclass(frozen=True)
class Chapter:
    """``item``: what is bought, ``sold``: an older one that is sold; both may be empty."""

    number: str
    county: str
    who: str
    place: str
    deed: str
    item: str = ""
    sold: str = ""

    @property
    def text(self) -> str:
        """The chapter in a line."""
        bought = f", {self.who} bought the {self.item}" if self.item else ""
        bought += f" and sold the {self.sold}" if self.sold else ""
        start = f"Chapter {self.number}, county of {self.county}. {self.who} came to {self.place}"
        return f"{start} and {self.deed}. There{bought}." if bought else f"{start} and {self.deed}."

    @property
    def events(self) -> list[Event]:
        """What happens in it, for the world."""
        found = [Event(self.who, "move", whom=self.place)]
        found += [Event(self.who, "take", self.item)] if self.item else []
        return found + ([Event(self.who, "drop", self.sold)] if self.sold else [])


class Makers:
    """Makes chapters, each with a number, a person, a place and an item that no other has."""

    def __init__(self, rng: random.Random, taken: set[str]) -> None:
        self.rng, self.number = rng, number(rng, taken, 6)
        self.name: Maker = name(rng, taken)

    def item(self) -> str:
        """A thing with a name of its own."""
        return f"{self.name()} {self.rng.choice(GOODS)}"

    def chapter(self, county: str, who: str = "", buys: bool = True, sold: str = "") -> Chapter:
        """A chapter of a county."""
        item = self.item() if buys else ""
        deed, place = self.rng.choice(DEEDS), self.name()
        return Chapter(self.number(), county, who or self.name(), place, deed, item, sold)


def draw(request: Request) -> Draw:
    """``count`` chapters to look up, as many chains of purchases, and a question for each county."""
    rng, taken = request.rng(), set[str]()
    make = Makers(rng, taken)
    counties, elsewhere = ([make.name() for _ in range(n)] for n in (COUNTIES, ELSEWHERE))
    chapters: list[tuple[float, Chapter]] = []
    questions: list[Question] = []
    for place, depth in enumerate(strata(request.count, rng)):
        chapter = make.chapter(rng.choice(elsewhere))
        chapters.append((depth, chapter))
        text, prefix, part = FORMS[place % len(FORMS)]
        asked = f"\n{text.format(chapter.number)}\n"
        answer = getattr(chapter, part)
        questions.append(Question("retrieval", asked, prefix, (answer,), (chapter.number,)))
    chains = []
    for last in strata(request.count, rng):
        one = make.chapter(rng.choice(elsewhere))
        two = make.chapter(rng.choice(elsewhere), one.who, sold=one.item)
        three = make.chapter(rng.choice(elsewhere), one.who)
        chapters += zip(before(last, 3, rng), (one, two, three), strict=True)
        chains.append((two, three))
    world = World()
    chapters.sort(key=lambda each: each[0])
    for number_, (_, chapter) in enumerate(chapters):
        for event in chapter.events:
            world.tell(number_, event)
    for two, three in chains:
        bought = world.taken[three.who]
        questions.append(
            Question(
                "multihop",
                f"\nWhat did the buyer of the {three.item} buy just before it?\n",
                "It was the",
                (bought[bought.index(three.item) - 1],),
                (two.number, three.number),
                hops=2,
            )
        )
    step = max(1, COUNTIES // min(request.count, COUNTIES))
    for county in shuffled(counties, rng):
        without = [make.chapter(county, buys=False) for _ in range(rng.randint(1, NONE))]
        chapters += [(rng.random(), each) for each in without]
        if county in counties[::step][: request.count]:
            questions.append(_filtering(county, without))
    planted = [Planted(d, Line(c.text, (c.number, c.county))) for d, c in chapters]
    return Draw(HEAD, planted, _filler(request, counties, elsewhere, taken), questions)


def _filtering(county: str, without: list[Chapter]) -> Question:
    numbers = tuple(each.number for each in without)
    return Question(
        "filtering",
        f"\nIn which chapters of the county of {county} is nothing bought?\n",
        "The numbers of the chapters are",
        numbers,
        (county,),
        gold=", ".join(numbers),
        meta={"several": True},
    )


def _filler(
    request: Request, counties: list[str], elsewhere: list[str], taken: set[str]
) -> Iterator[Line]:
    """Chapters with purchases, in the counties' shares."""
    rng = request.rng("filler")
    make = Makers(rng, taken)
    people = [make.name() for _ in range(100)]
    for county in dealt(counties, rng):
        chapter = make.chapter(county or rng.choice(elsewhere), rng.choice(people))
        yield Line(chapter.text, (chapter.county,))


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``official`` as published: exact, and for chapter numbers intersection over union, which is the
    score too."""
    if row.meta["kind"] == "filtering":
        found = score.overlap(prediction, row.answers)
        exact = score.set_exact(prediction, row.answers)
        return {"score": found, "official": found, "strict": exact}
    found = score.strict(prediction, row.answers)
    return {"score": found, "official": found, "strict": found}


SET = ProbeSet(
    name="story",
    about="one chapter, two that belong together, or every chapter of a county (after the sparse frontier)",
    floor="0",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=1536,
    options={},
)
