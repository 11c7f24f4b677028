"""LongBench-v2: 503 questions with four choices on contexts of 8K to 2M words."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longbench.errors import LongBenchError
from longbench.prompting.template import Parts
from longbench.scoring.metrics import OFFICIAL
from longbench.sources.records import Fields

LETTERS = ("A", "B", "C", "D")
DIFFICULTIES, LENGTHS = ("easy", "hard"), ("short", "medium", "long")
MAX_NEW_TOKENS = 128
USER_TOKENS = 4096
_PLACE = re.compile(r"\$(DOC|Q|C_A|C_B|C_C|C_D)\$")
_STRICT = (
    re.compile(r"The correct answer is \(([A-D])\)"),
    re.compile(r"The correct answer is ([A-D])"),
)
# A letter named as the answer in another way, or standing alone at the beginning.
_LOOSE = (
    re.compile(r"(?i:answer|choice|option)\b(?i:\s+is)?\s*:?\s*\(?([A-D])\b"),
    re.compile(r"^\s*\(?([A-D])\)?(?:[\s.,:]|$)"),
)


@dataclass(frozen=True)
class Question:
    """One record of LongBench-v2. ``length``: short, medium or long, as the file says."""

    context: str
    question: str
    choices: tuple[str, ...]
    answer: str
    difficulty: str
    length: str
    domain: str
    source_id: str


def parse(fields: dict[str, Any]) -> Question:
    """A record of the official file.

    Raises:
        LongBenchError: a field is missing or has an impossible value.
    """
    need = Fields(fields)
    return Question(
        context=need.text("context"),
        question=need.text("question"),
        choices=tuple(need.text(f"choice_{letter}") for letter in LETTERS),
        answer=need.choice("answer", LETTERS),
        difficulty=need.choice("difficulty", DIFFICULTIES),
        length=need.choice("length", LENGTHS),
        domain=str(fields.get("domain") or ""),
        source_id=str(fields.get("_id") or ""),
    )


def fill(template: str, question: Question) -> Parts:
    """The parts of a question's prompt. The user part begins with the line that asks.

    Raises:
        LongBenchError: the template lacks a place, or has it in another order.
    """
    places = _PLACE.findall(template)
    if places != ["DOC", "Q", "C_A", "C_B", "C_C", "C_D"]:
        raise LongBenchError(
            f"the template of v2 has the places {', '.join(places) or 'none'}; expected DOC, Q, "
            "C_A, C_B, C_C and C_D between dollar signs, each once, in this order"
        )
    asked = template.index("$Q$")
    border = template.rfind("\n", 0, asked) + 1
    if border <= template.index("$DOC$"):
        raise LongBenchError("the template of v2 has no line end between $DOC$ and $Q$")
    texts = {"DOC": question.context.strip(), "Q": question.question.strip()}
    texts |= {
        f"C_{letter}": text.strip() for letter, text in zip(LETTERS, question.choices, strict=True)
    }
    fixed, user = (
        _PLACE.sub(lambda place: texts[place[1]], part)  # one pass: what is put in stays as it is
        for part in (template[:border], template[border:])
    )
    return Parts(fixed, user, "")


def choice_of(prediction: str, behaviour: str = OFFICIAL) -> str | None:
    """The letter that an answer chose; None if it chose none.

    ``official``: only the form that was asked for. ``fixed``: also a letter given in another way.
    """
    text = prediction.replace("*", "")
    for pattern in _STRICT if behaviour == OFFICIAL else (*_STRICT, *_LOOSE):
        if found := pattern.search(text):
            return found[1]
    return None


def score(prediction: str, answer: str, behaviour: str = OFFICIAL) -> float:
    """1 for the right letter, else 0."""
    return float(choice_of(prediction, behaviour) == answer)


def breakdown(scored: Iterable[tuple[Mapping[str, Any], float]]) -> dict[str, tuple[float, int]]:
    """Accuracy in points and number of questions: overall, and by difficulty and length.

    Args:
        scored: each row's ``meta`` with its score.
    """
    cells: dict[str, list[float]] = {name: [] for name in ("overall", *DIFFICULTIES, *LENGTHS)}
    for meta, value in scored:
        for name in ("overall", meta["difficulty"], meta["length"]):
            cells[name].append(value)
    return {
        name: (100 * sum(values) / len(values), len(values))
        for name, values in cells.items()
        if values
    }
