"""``babi``: people move, take, drop and give; where they and things are and were (worlds 1 to 5 of bAbI).

One large world in place of many small ones, with every asked actor and thing a question, in sentences
of our own. What is told is performed (``probes.world``), and answers are what the world says.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, before, strata
from probes.set import ProbeSet
from probes.text.names import Maker, name
from probes.text.prose import prose
from probes.text.words import WORDS, listed
from probes.world import Event, World
from rows.row import Row

HEAD = (
    "Below is a long story about people who go from place to place, take things, and put them down."
    " Read all of it: afterwards you are asked where people and things are, or were, and who gave "
    "what to whom.\n\n"
)
ROOMS = listed("cellar attic study pantry stable workshop courtyard chapel library tower")
OBJECTS = listed("cup key book knife bag map ring bowl stick clock")
PLACES = [f"{word} {room}" for word in WORDS[:24] for room in ROOMS]
THINGS = [f"{word} {item}" for word in WORDS[24:96] for item in OBJECTS]
MOST = 60  # questions of a kind; each has actors and a thing of its own
KINDS = tuple(Kind(number, MOST) for number in listed("1 2 3 4 5"))
DIRECTIONS = {"north": "south", "east": "west", "south": "north", "west": "east"}
TEXTS = {
    "move": (
        "{who} went to the {whom}.",
        "{who} is in the {whom} now.",
        "{who} moved to the {whom}.",
    ),
    "take": ("{who} took the {thing}.", "There {who} picked up the {thing}."),
    "drop": ("{who} put down the {thing}.", "{who} left the {thing} there."),
    "give": ("{who} gave the {thing} to {whom}.", "{who} handed {whom} the {thing}."),
}
BYSTANDERS = 200


@dataclass
class Story:
    """Events with their depths, which are drawn together and then told in the order of the text."""

    rng: random.Random
    people: Maker
    things: Iterator[str]
    events: list[tuple[float, Event]] = field(default_factory=list)

    def happen(self, depths: list[float], *events: Event) -> None:
        """Adds events, in order; further ones than depths come anywhere after."""
        depths = [*depths]
        while len(depths) < len(events):
            depths.append(depths[-1] + self.rng.random() * (1 - depths[-1]))
        self.events += zip(depths, events, strict=True)

    def rooms(self, count: int) -> list[str]:
        """Different places."""
        return self.rng.sample(PLACES, count)


def draw(request: Request) -> Draw:
    """``count`` questions of each world; the last event that one needs stands in a part of the text of
    its own."""
    rng, taken = request.rng(), set[str]()
    people = name(rng, taken)
    story = Story(rng, people, iter(rng.sample(THINGS, len(THINGS))))
    asked: list[tuple[str, tuple[str, ...]]] = []
    count = min(request.count, MOST)
    for kind, plan in (("1", _moves), ("2", _carries), ("3", _carried), ("5", _gives)):
        asked += [(kind, plan(story, last)) for last in strata(count, rng)]
    story.events.sort(key=lambda each: each[0])
    world = World()
    planted = []
    for number, (depth, event) in enumerate(story.events):
        world.tell(number, event)
        text = rng.choice(TEXTS[event.what]).format(**vars(event))
        planted.append(Planted(depth, Line(text, (f"event {number}",))))
    people_asked = sorted({event.who for _, event in story.events})
    questions = [_question(world, kind, about, people_asked) for kind, about in asked]
    towns = name(rng, taken)
    for last in strata(count, rng):
        lines, question = _directions(towns, last, rng)
        planted += lines
        questions.append(question)
    questions.sort(key=lambda each: each.kind)
    return Draw(HEAD, planted, _filler(request, taken), questions)


def _moves(story: Story, last: float) -> tuple[str, ...]:
    who = story.people()
    depths = before(last, 3, story.rng)
    story.happen(depths, *(Event(who, "move", whom=place) for place in story.rooms(3)))
    return (who,)


def _carries(story: Story, last: float) -> tuple[str, ...]:
    who, thing = story.people(), next(story.things)
    first, second, third = story.rooms(3)
    events = [
        Event(who, "move", whom=first),
        Event(who, "take", thing),
        Event(who, "move", whom=second),
    ]
    if story.rng.random() < 0.5:
        events += [Event(who, "drop", thing)]
        story.happen(before(last, 4, story.rng), *events, Event(who, "move", whom=third))
    else:
        story.happen(before(last, 3, story.rng), *events)
    return (thing,)


def _carried(story: Story, last: float) -> tuple[str, ...]:
    who, thing = story.people(), next(story.things)
    first, *others = story.rooms(4)
    events = [Event(who, "move", whom=first), Event(who, "take", thing)]
    moves = [Event(who, "move", whom=place) for place in others]
    story.happen(before(last, 4, story.rng), *events, *moves)
    return thing, others[1]


def _gives(story: Story, last: float) -> tuple[str, ...]:
    who, whom, thing = story.people(), story.people(), next(story.things)
    place, later = story.rooms(2)
    story.happen(
        before(last, 4, story.rng),
        Event(who, "move", whom=place),
        Event(whom, "move", whom=place),
        Event(who, "take", thing),
        Event(who, "give", thing, whom),
        Event(whom, "move", whom=later),
    )
    return thing, story.rng.choice(("who", "whom", "what"))


def _question(world: World, kind: str, about: tuple[str, ...], people: list[str]) -> Question:
    labels: list[str] = []
    if kind == "1":
        stay, (who,) = world.actors[about[0]], about
        text, prefix = f"Where is {who}?", f"{who} is in the"
        answer, events = stay.place, stay.events
    elif kind == "2":
        stay, (thing,) = world.things[about[0]][-1], about
        text, prefix = f"Where is the {thing}?", f"The {thing} is in the"
        answer, events = stay.place, stay.events
    elif kind == "3":
        thing, place = about
        text = f"Where was the {thing} before it was in the {place}?"
        prefix = f"Before, the {thing} was in the"
        answer, events = world.before(thing, place)
    else:
        thing, form = about
        ((number, gift),) = world.gifts[thing]
        events, labels = (number,), people
        text, prefix, answer = {
            "who": (f"Who gave the {thing} to {gift.whom}?", "It was", gift.who),
            "whom": (f"To whom did {gift.who} give the {thing}?", "It was", gift.whom),
            "what": (f"What did {gift.who} give to {gift.whom}?", "It was the", thing),
        }[form]
    tags = tuple(f"event {number}" for number in events)
    places = len(people) if kind == "5" else len(PLACES)
    meta = {"labels": labels}
    return Question(
        kind, f"\n{text}\n", prefix, (answer,), tags, 1 / places, hops=len(events), meta=meta
    )


def _directions(towns: Maker, last: float, rng: random.Random) -> tuple[list[Planted], Question]:
    """World 4: three places, two sentences, a question that one of them answers, perhaps the other way
    round."""
    middle, one, other = towns(), towns(), towns()
    first, second = rng.sample(list(DIRECTIONS), 2)
    told = f"{one} lies {first} of {middle}."
    lines = [
        Planted(last, Line(told, (one,))),
        Planted(rng.random(), Line(f"{other} lies {second} of {middle}.")),
    ]
    if rng.random() < 0.5:
        text, answer = f"What lies {first} of {middle}?", one
    else:
        text, answer = f"What lies {DIRECTIONS[first]} of {one}?", middle
    labels = {"labels": [middle, one, other]}
    return lines, Question("4", f"\n{text}\n", "It is", (answer,), (one,), 0.0, meta=labels)


def _filler(request: Request, taken: set[str]) -> Iterator[Line]:
    """Prose, and others who move, whom no question asks about."""
    rng = request.rng("filler")
    people = name(rng, taken)
    others = [people() for _ in range(BYSTANDERS)]
    for sentence in prose(f"{request.seed}/filler"):
        yield Line(sentence)
        move = {"who": rng.choice(others), "whom": rng.choice(PLACES)}
        yield Line(rng.choice(TEXTS["move"]).format(**move))


def official(prediction: str, answer: str, question: str, labels: list[str]) -> float:
    """As BABILong: of all labels that stand in the first sentence, but for those of the question, only the
    answer; whatever the case."""
    said, asked = prediction.lower().split("\n")[0].split(".")[0], question.lower()
    found = {each.lower() for each in (*PLACES, *THINGS, *labels) if each.lower() in said}
    return float(found - {each for each in found if each in asked} == {answer.lower()})


def scores(row: Row, prediction: str) -> dict[str, float]:
    """The first line must be the place, the person or the thing."""
    found = score.strict(prediction, row.answers)
    labels = row.meta["extra"]["labels"]
    return {
        "score": found,
        "official": official(prediction, row.answers[0], row.question, labels),
        "strict": found,
    }


SET = ProbeSet(
    name="babi",
    about="the state of a world after many events, in order: bAbI's worlds 1 to 5, in one long story",
    floor="1/240 places, 1/persons",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=768,
    options={},
)
