"""Prompt sets: the wording around a task's generated content.

A prompt set has a name, which every row and record carries, so that no table mixes two wordings.
``suite`` is written for this project and needs no network.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NiahWording:
    """Wording of the needle tasks. Placeholders: ``types``/``type`` (plural/singular name of the
    value type), ``key``, ``value``, ``keys`` (the queried keys as a list in words; ``numbered``: with
    numbers)."""

    instruction: str
    instruction_single: str
    needle: str
    question: str
    question_single: str
    answer_prefix: str
    answer_prefix_single: str
    noise: str
    numbered: bool = True


@dataclass(frozen=True)
class VtWording:
    """Wording of variable tracking. Placeholders: ``name``, ``value`` (a number or an earlier
    name), ``count`` (of names to find), ``names`` (the answer).

    Attributes:
        statement_next: gives a name the value of an earlier one; None: worded as ``statement``.
        joint: between the names of the worked example's answer. demo_letters: of the names in it; None: as
            elsewhere.
    """

    instruction: str
    statement: str
    question: str
    answer_prefix: str
    answer: str
    statement_next: str | None = None
    joint: str = ", "
    demo_letters: int | None = None


@dataclass(frozen=True)
class CweWording:
    """Wording of common words. Placeholders: ``count`` of common words, ``words`` (the answer).

    ``joint`` stands between the worked example and the task itself.
    """

    instruction: str
    question: str
    answer_prefix: str
    answer: str
    joint: str = "\n\n"


@dataclass(frozen=True)
class FweWording:
    """Wording of frequent words. Placeholder: ``count`` (of words asked for).

    ``joint`` stands between instruction and text.
    """

    instruction: str
    question: str
    answer_prefix: str
    joint: str = "\n\n"


@dataclass(frozen=True)
class QaWording:
    """Wording of question answering. Placeholders: ``number``, ``text`` of a document; ``question``.

    Instruction and documents stand apart by an empty line.
    """

    instruction: str
    document: str
    question: str
    answer_prefix: str


@dataclass(frozen=True)
class PromptSet:
    """A named wording for every task family."""

    name: str
    niah: NiahWording
    vt: VtWording
    cwe: CweWording
    fwe: FweWording
    qa: QaWording


SUITE = PromptSet(
    name="suite",
    niah=NiahWording(
        instruction=(
            "A few ledger notes about {types} are scattered over the text below. "
            "Keep them in mind: a question about them follows."
        ),
        instruction_single=(
            "A ledger note about one {type} is put somewhere in the text below. "
            "Keep it in mind: a question about it follows."
        ),
        needle="Ledger note: of all {types}, {key} has {value}.",
        question="Which {types} does the ledger give for {keys}?",
        question_single="Which {type} does the ledger give for {keys}?",
        answer_prefix=" By the ledger, of all {types}, {keys} have",
        answer_prefix_single=" By the ledger, of all {types}, {keys} has",
        noise=(
            "The river runs slowly. A cart stands by the gate. Smoke rises over the roofs. "
            "Nobody is in a hurry. Then the bells ring again."
        ),
    ),
    vt=VtWording(
        instruction=(
            "Lines that begin with SET are hidden in the text below. Each of them gives a name a "
            "number, or the number of a name set before. Follow them: a question comes after."
        ),
        statement="SET {name} = {value}",
        question="Which {count} names were set to {value}, directly or through other names?",
        answer_prefix=" The {count} names set to {value} are:",
        answer=" {names}",
    ),
    cwe=CweWording(
        instruction=(
            "Below is a numbered list of words. A few of the words come back far more often than "
            "the others. Notice which."
        ),
        question="Which {count} words of the list come back most often?",
        answer_prefix=" The {count} words that come back most often are:",
        answer=" {words}",
    ),
    fwe=FweWording(
        instruction=(
            "The text below is made of code words and of dots. Count how often each code word "
            "occurs, and leave out the dots."
        ),
        question="Name only the {count} code words that occur most often in the text.",
        answer_prefix=" The {count} most frequent code words are:",
    ),
    qa=QaWording(
        instruction=(
            "Some numbered documents follow, and then a question. One or more of the documents "
            "hold what is needed to answer it."
        ),
        document="Document {number}:\n{text}",
        question=(
            "Use the documents above, and reply with the shortest answer that is complete.\n"
            "Question: {question}"
        ),
        answer_prefix=" Answer:",
    ),
)

PROMPT_SETS = {SUITE.name: SUITE}


def get_prompts(name: str) -> PromptSet:
    """The prompt set of that name.

    Raises:
        ValueError: no such prompt set.
    """
    if name not in PROMPT_SETS:
        raise ValueError(f"unknown prompt set {name!r}; known: {', '.join(PROMPT_SETS)}")
    return PROMPT_SETS[name]
