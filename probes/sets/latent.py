"""``latent``: who it is, asked without a word that stands in the evidence, and asked literally.

After NoLiMa (arXiv 2502.05167), with associations and sentences of our own. The literal question is
about the same sentence of the same context: the difference at one budget is what a method loses where
meaning must be matched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, shuffled, strata
from probes.set import ProbeSet
from probes.text import associations
from probes.text.names import name
from probes.text.prose import prose
from rows.row import Row

HEAD = (
    "Below is a long text. Now and then it tells something about a person. Read all of it: "
    "afterwards you are asked who somebody is. What the text does not say in so many words, you "
    "know or can tell.\n\n"
)
APART = 0.1  # of the context, between a sentence and one that shares a word with its question
SHORT = 3  # letters of words that may stand in both: the, and, who
WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Theme:
    """Pairs of a thing and what it implies, and sentences with ``{}`` for names and things."""

    pairs: Mapping[str, str]
    needle: str
    latent: str
    literal: str
    distractor: str


THEMES = {
    "place": Theme(
        associations.PLACES,
        "From the kitchen of {name}, one looks out on {thing}.",
        "Which person lives in {implied}?",
        "Which person looks out on {thing}?",
        "A stamp from {implied} had been glued to the lid.",
    ),
    "trade": Theme(
        associations.TRADES,
        "The working hours of {name} are spent with {thing}.",
        "Who is a {implied} by profession?",
        "Who spends working hours with {thing}?",
        "Many a {implied} had slept at this inn.",
    ),
    "nature": Theme(
        associations.KINDS,
        "The pride of {name} was {thing}.",
        "Who owns a {implied}?",
        "Whose pride was {thing}?",
        "There was a drawing of some {implied} on the wall.",
    ),
}
MOST = min(len(set(theme.pairs.values())) for theme in THEMES.values())
FORMS = ("latent", "literal")
KINDS = tuple(Kind(f"{theme}_{form}", MOST) for theme in THEMES for form in FORMS)


def draw(request: Request) -> Draw:
    """``count`` persons of each theme, no two of whom have the same thing implied."""
    rng = request.rng()
    names = name(rng, set())
    planted: list[Planted] = []
    found: dict[str, list[Question]] = {kind.name: [] for kind in KINDS}
    count = min(request.count, MOST)
    for theme, words in THEMES.items():
        by_implied: dict[str, str] = {}
        for thing, implied in shuffled(list(words.pairs.items()), rng):
            by_implied.setdefault(implied, thing)
        chosen = shuffled(list(by_implied.items()), rng)[:count]
        for depth, (implied, thing) in zip(strata(count, rng), chosen, strict=True):
            person = names()
            values = {"name": person, "thing": thing, "implied": implied}
            needle = words.needle.format(**values)
            planted.append(Planted(depth, Line(needle, (person,))))
            away = (depth + APART + rng.random() * (1 - 2 * APART)) % 1
            planted.append(Planted(away, Line(words.distractor.format(**values))))
            for form in FORMS:
                text = getattr(words, form).format(**values)
                if form == "latent":
                    apart(needle, text)
                kind = f"{theme}_{form}"
                question = Question(
                    *(
                        kind,
                        f"\n{text}\n",
                        "It is",
                        (person,),
                        (person,),
                        1 / (count * len(THEMES)),
                    ),
                    hops=2 if form == "latent" else 1,
                )
                found[kind].append(question)
    questions = [each for kind in found.values() for each in kind]
    return Draw(HEAD, planted, _filler(request), questions)


def apart(needle: str, question: str) -> None:
    """Checks that the two share no word of more than ``SHORT`` letters.

    Raises:
        ValueError: they do, which is a mistake of the tables.
    """
    one, other = ({each.lower() for each in WORD.findall(text)} for text in (needle, question))
    if shared := {word for word in one & other if len(word) > SHORT}:
        raise ValueError(f"{needle!r} and {question!r} share {min(shared)!r}")


def _filler(request: Request) -> Iterator[Line]:
    return (Line(sentence) for sentence in prose(f"{request.seed}/filler"))


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``official`` as NoLiMa: the name stands anywhere in the prediction, case and all."""
    return score.strict_and_contained(prediction, row.answers)


SET = ProbeSet(
    name="latent",
    about="meaning without shared words, beside the same sentences asked for literally (after NoLiMa)",
    floor="1 / persons in the text",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=768,
    options={},
)
