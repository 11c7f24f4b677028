"""A document with its questions, from one random generator."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from prefixqa.document import Document, Evidence, Pair
from prefixqa.template.facts import Fact, World
from prefixqa.template.prose import SETTINGS, Setting, capitalised, filler, opening
from prefixqa.template.questions import MIX, Placed, choose

Measure = Callable[[str], int]


@dataclass(frozen=True)
class Drawn:
    """An invented document and the questions on it."""

    document: Document
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Piece:
    """A stretch of the document: ``glue`` (blank or line ends) in front of ``text``."""

    glue: str
    text: str
    fact: Fact | None = None


def words(text: str) -> int:
    """The number of words: the measure where no tokenizer is at hand."""
    return len(text.split())


def draw_document(
    rng: random.Random,
    budget: int,
    questions: int = 24,
    measure: Measure = words,
    mix: dict[str, int] = MIX,
    name: str = "template",
) -> Drawn:
    """An invented document that fills ``budget`` as far as whole sentences go, with its questions.

    Args:
        rng: decides everything. A larger budget goes on from the same beginning.
        budget: largest ``measure(document.text)``.
        questions: how many pairs, spread over the whole document.
        measure: size of a text, in the unit of ``budget``: words, or tokens of a tokenizer.
        mix: weight of each question type.
        name: the document's id.

    Raises:
        SpaceError: the document holds fewer facts than the questions need.
    """
    setting = rng.choice(SETTINGS)
    world = World(random.Random(rng.random()), setting)
    title = rng.choice(setting.titles).format(name=capitalised(world.code_name()))
    chooser = random.Random(rng.random())
    pieces = _fitting(_pieces(rng, setting, world, title, budget, measure), budget, measure)
    text = _join(pieces)
    document = Document(name, title, text, "generated", "CC0-1.0")
    placed = _placed(pieces, text)
    return Drawn(document, choose(chooser, placed, questions, mix, len(text)))


def _pieces(
    rng: random.Random, setting: Setting, world: World, title: str, budget: int, measure: Measure
) -> list[Piece]:
    """Sections of paragraphs, one item each, until they are a little larger than the budget."""
    pieces = [Piece("", f"# {title}")]
    used = 0
    while used <= budget:
        new: list[Piece] = []
        if len(pieces) == 1 or rng.random() < 0.2:
            new.append(Piece("\n\n", f"## {rng.choice(setting.sections)}"))
        new += _paragraph(rng, setting, world)
        used += sum(measure(piece.glue + piece.text) for piece in new)
        pieces += new
    return pieces


def _paragraph(rng: random.Random, setting: Setting, world: World) -> list[Piece]:
    """The facts of one item, with fillers before, between and after them."""
    sentences: list[tuple[str, Fact | None]] = []
    for fact in world.facts():
        if rng.random() < 0.55:
            sentences.append((filler(rng, setting), None))
        sentences.append((capitalised(f"{opening(rng)}{fact.stem} {fact.value}."), fact))
    if rng.random() < 0.55:
        sentences.append((filler(rng, setting), None))
    return [
        Piece("\n\n" if first else " ", text, fact)
        for first, (text, fact) in zip([True] + [False] * len(sentences), sentences, strict=False)
    ]


def _fitting(pieces: list[Piece], budget: int, measure: Measure) -> list[Piece]:
    """As many pieces from the front as fit into the budget; a heading is not left at the end."""
    low, high = 1, len(pieces)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(_join(pieces[:middle])) <= budget:
            low = middle
        else:
            high = middle - 1
    while low > 1 and pieces[low - 1].text.startswith("#"):
        low -= 1
    return pieces[:low]


def _join(pieces: list[Piece]) -> str:
    return "".join(piece.glue + piece.text for piece in pieces)


def _placed(pieces: list[Piece], text: str) -> list[Placed]:
    """The facts with the passages that state them."""
    found, position = [], 0
    for piece in pieces:
        start = position + len(piece.glue)
        position = start + len(piece.text)
        if piece.fact:
            found.append(Placed(piece.fact, Evidence(start, position, text[start:position])))
    return found
