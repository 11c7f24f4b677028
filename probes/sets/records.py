"""``records``: one list of records, with questions that need a few of them, a part of them, or half of them.

The depots hold a half, a quarter, an eighth ... of the records, so questions about a depot have
densities from high to low on one context: the set shows at which budget a method breaks, by what share
of the context is needed.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, shuffled, strata
from probes.set import ProbeSet
from probes.shares import dealt
from probes.text.names import name, number
from probes.text.words import GOODS
from rows.row import Row

HEAD = (
    "Below is a ledger, one record in a line: number | keeper | goods | depot | amount. Read all of"
    " it: afterwards you are asked to count, to add up and to compare.\n\n"
)
DEPOTS = 6  # with a share each: 1/2, 1/4, ... 1/64 of the records; the rest lies in the yards
MOST = 12  # records that a count finds at most
KEEPERS, YARDS = 40, 4
LOWEST, HIGHEST = 400, 999  # of the largest amount in a depot
PAIRS = 500  # that each of two kinds asks about at most, of 2,320
KINDS = (Kind("count", PAIRS), Kind("sum", PAIRS), Kind("max", DEPOTS), Kind("common", DEPOTS))


@dataclass(frozen=True)
class World:
    """What the records are about.

    Attributes:
        depots: by falling share. leaders, largest: of each depot, its most common goods and largest amount.
        yards: where the counted records lie, which no question about a depot needs.
        asked: pairs of keeper and goods that questions are about.
    """

    keepers: list[str]
    depots: list[str]
    yards: list[str]
    leaders: dict[str, str]
    largest: dict[str, int]
    asked: set[tuple[str, str]]


def draw(request: Request) -> Draw:
    """Counts of 0 to 12 records, each as often; sums of 2 to 4; the depots' largest amounts and leaders."""
    rng, taken = request.rng(), set[str]()
    names, numbers = name(rng, taken), number(rng, taken, 6)
    keepers, depots, yards = ([names() for _ in range(count)] for count in (KEEPERS, DEPOTS, YARDS))
    leaders = dict(zip(depots, rng.sample(GOODS, DEPOTS), strict=True))
    largest = dict(zip(depots, rng.sample(range(LOWEST, HIGHEST + 1), DEPOTS), strict=True))
    world = World(keepers, depots, yards, leaders, largest, set())
    planted: list[Planted] = []
    questions = []

    def plant(depth: float, keeper: str, goods: str, place: str, amount: int, *tags: str) -> None:
        text = f"#{numbers()} | {keeper} | {goods} | {place} | {amount}"
        planted.append(Planted(depth, Line(text, tags)))

    for kind, sizes in (("count", range(MOST + 1)), ("sum", range(2, 5))):
        count = min(request.count, PAIRS)
        wanted = itertools.islice(itertools.cycle(shuffled(sizes, rng)), count)
        for size, last in zip(wanted, strata(count, rng), strict=True):
            keeper, goods = _pair(world, rng)
            tag = f"{keeper}/{goods}"
            amounts = [rng.randint(100, 999) for _ in range(size)]
            depths = [*(rng.random() * last for _ in amounts[1:]), last]
            for depth, amount in zip(depths, amounts, strict=False):
                plant(depth, keeper, goods, rng.choice(yards), amount, tag)
            questions.append(_about_pair(kind, keeper, goods, amounts, tag))
    for depot in depots:
        # At least two of the leader, so that it leads however little filler there is.
        for _ in range(request.options["lead"]):
            amount = _below(largest[depot], rng)
            keeper = _keeper(world, leaders[depot], rng)
            plant(rng.random(), keeper, leaders[depot], depot, amount, depot)
    for depth, depot in zip(strata(DEPOTS, rng), shuffled(depots, rng), strict=True):
        goods = leaders[depot]  # so that the largest amount changes nothing but by one
        plant(depth, _keeper(world, goods, rng), goods, depot, largest[depot], depot)
    for about in KINDS[2:]:
        # Of few questions, those with different shares.
        step = max(1, DEPOTS // request.of(about))
        asked = depots[::step][: request.of(about)]
        questions += [_about_depot(about.name, depot, world) for depot in asked]
    return Draw(HEAD, planted, _filler(request, world, taken), questions)


def _pair(world: World, rng: random.Random) -> tuple[str, str]:
    """A keeper and goods that no question is about yet."""
    while (pair := (rng.choice(world.keepers), rng.choice(GOODS))) in world.asked:
        pass
    world.asked.add(pair)
    return pair


def _keeper(world: World, goods: str, rng: random.Random) -> str:
    """A keeper with whose records of these goods no question is concerned."""
    return rng.choice([each for each in world.keepers if (each, goods) not in world.asked])


def _about_pair(kind: str, keeper: str, goods: str, amounts: list[int], tag: str) -> Question:
    if kind == "count":
        text = f"\nHow many records of keeper {keeper} are about {goods}?\n"
        prefix = "The number of these records is"
        return Question(kind, text, prefix, (str(len(amounts)),), (tag,), 1 / (MOST + 1))
    text = f"\nWhat do the amounts of {goods} in the records of keeper {keeper} add up to?\n"
    return Question(kind, text, "The sum of these amounts is", (str(sum(amounts)),), (tag,), 0.01)


def _about_depot(kind: str, depot: str, world: World) -> Question:
    if kind == "max":
        text = f"\nWhat is the largest amount in depot {depot}?\n"
        prefix = f"The largest amount in depot {depot} is"
        floor = 1 / (HIGHEST - LOWEST + 1)
        return Question(kind, text, prefix, (str(world.largest[depot]),), (depot,), floor)
    text = f"\nWhich goods have the most records in depot {depot}?\n"
    prefix = f"The most common goods in depot {depot} are"
    return Question(kind, text, prefix, (world.leaders[depot],), (depot,), 1 / len(GOODS))


def _below(largest: int, rng: random.Random) -> int:
    return rng.randint(100, largest - 1)


def _filler(request: Request, world: World, taken: set[str]) -> Iterator[Line]:
    """Records in the depots' shares. In each depot every goods come once in a round, the leader
    several times: it leads however many rounds there are, and by the same share."""
    rng = request.rng("filler")
    numbers = number(rng, taken, 6)
    rounds: dict[str, list[str]] = {depot: [] for depot in world.depots}
    for place in dealt(world.depots, rng):
        tags: tuple[str, ...] = (place,)
        if place:
            if not rounds[place]:
                extra = [world.leaders[place]] * (request.options["lead"] - 1)
                rounds[place] = shuffled([*GOODS, *extra], rng)
            goods, amount = rounds[place].pop(), _below(world.largest[place], rng)
        else:
            place, amount, tags = rng.choice(world.yards), rng.randint(100, 999), ()
            goods = rng.choice(GOODS)
        keeper = _keeper(world, goods, rng)
        yield Line(f"#{numbers()} | {keeper} | {goods} | {place} | {amount}", tags)


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``official`` as Oolong: numbers get 0.75 to the power of the error, words must be the same."""
    found = score.strict(prediction, row.answers)
    answer = score.plain(score.answer_of(prediction))
    official = found
    if row.answers[0].isdecimal() and answer.isdecimal():
        official = 0.75 ** min(abs(int(answer) - int(row.answers[0])), 99)
    return {"score": found, "official": official, "strict": found}


SET = ProbeSet(
    name="records",
    about="count, add, compare over a share of the context that is known: where sparsity must hurt",
    floor="count 1/13, sum below 0.01, max 1/600, common 1/58",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=1536,
    options={"lead": 2},
)
