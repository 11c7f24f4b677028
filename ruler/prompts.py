"""Prompt sets: the wording around a task's generated content.

A prompt set has a name, which every row and record carries, so that no table mixes two wordings.
``suite`` is written for this project and needs no network.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NiahWording:
    """Wording of the needle tasks. Placeholders: ``types``/``type`` (plural/singular name of the value
    type), ``key``, ``value``, ``keys`` (the queried keys as a list in words)."""

    instruction: str
    instruction_single: str
    needle: str
    question: str
    question_single: str
    answer_prefix: str
    answer_prefix_single: str
    noise: str


@dataclass(frozen=True)
class PromptSet:
    """A named wording for every task family."""

    name: str
    niah: NiahWording


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
)

PROMPT_SETS = {SUITE.name: SUITE}
