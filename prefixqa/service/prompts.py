"""The suite's own wording of every request; ``VERSION`` goes into each pair's provenance."""

import json
from collections import Counter

from prefixqa.service.schema import Answers, Proposals, Strict, Verdicts

VERSION = "openai-1"
Messages = list[dict[str, str]]

SYSTEM = "You help to build a reading test. You reply with one JSON object and nothing else."
KINDS = {
    "factual": "asks for a person, place, thing, date or name",
    "definition": "asks what a term means in this text",
    "method": "asks how or by what means something was done",
    "numeric": "asks for a number, with its unit",
    "comparison": "asks to compare two things that the passage describes",
    "multi-span": "needs facts from two or more separate sentences",
}
_SHAPES = {
    Proposals: {
        "pairs": [{"question": "...", "answer": "...", "type": "factual", "evidence": ["..."]}]
    },
    Answers: {"answers": [{"number": 1, "answer": "..."}]},
    Verdicts: {"verdicts": [{"number": 1, "good": True, "reason": "..."}]},
}


def propose(title: str, passage: str, wanted: Counter[str], most_words: int) -> Messages:
    """Asks for pairs on a passage: so many of each type."""
    kinds = "\n".join(f"- {count} x {name}: {KINDS[name]}" for name, count in wanted.items())
    task = f"""Write questions on the passage above, from the document "{title}":
{kinds}

Rules for each:
- It can be understood by somebody who has the whole document but does not see which passage you mean: name
  things, write no "this passage" and no "the author".
- It cannot be answered from general knowledge.
- Its answer is the shortest phrase that answers it, at most {most_words} words, with one right answer only.
- evidence quotes the sentence or sentences that give the answer, copied letter for letter."""
    return _messages(f"Passage:\n{passage}", task, Proposals)


def answer(title: str, document: str, questions: list[str]) -> Messages:
    """Asks to answer questions from the document, all in one request: the document is paid once."""
    task = f"""Answer these questions from the document "{title}" above and from nothing else.
Use as few words as possible. Give an empty answer where the document does not say.

{_numbered(questions)}"""
    return _messages(f"Document:\n{document}", task, Answers)


def answer_alone(title: str, questions: list[str]) -> Messages:
    """Asks the same questions without the document: who can answer now did not need it."""
    task = f"""These questions are about a document called "{title}" that you cannot see.
Answer each in as few words as possible; guess where you have an idea, else give an empty answer.

{_numbered(questions)}"""
    return _messages("", task, Answers)


def answer_from_evidence(questions: list[str], evidence: list[list[str]]) -> Messages:
    """Asks each question on its quotations only."""
    blocks = [
        f"{number}. {question}\n" + "\n".join(f"   > {quote}" for quote in quotes)
        for number, (question, quotes) in enumerate(zip(questions, evidence, strict=True), start=1)
    ]
    task = """Below each question stand quotations. Answer the question from its own quotations alone, in as
few words as possible; give an empty answer where they do not suffice.

""" + "\n\n".join(blocks)
    return _messages("", task, Answers)


def judge(title: str, pairs: list[tuple[str, str, list[str]]]) -> Messages:
    """Asks for a verdict on (question, answer, quotations)."""
    blocks = [
        f"{number}. question: {question}\n   answer: {given}\n"
        + "\n".join(f"   > {quote}" for quote in quotes)
        for number, (question, given, quotes) in enumerate(pairs, start=1)
    ]
    task = f"""Pairs for a reading test on the document "{title}" follow, with quotations from it. A pair is
good if the quotations support the answer, the question has this one answer only, and it makes sense to
somebody who knows the document but not the quotations.
Say for each whether it is good, and why in a few words.

""" + "\n\n".join(blocks)
    return _messages("", task, Verdicts)


def grade(asked: list[tuple[str, list[str], str]]) -> Messages:
    """Asks whether predictions mean the same as accepted answers: (question, answers, prediction)."""
    blocks = [
        f"{number}. question: {question}\n   accepted: {' | '.join(answers)}\n   given: {given}"
        for number, (question, answers, given) in enumerate(asked, start=1)
    ]
    task = """Below stand questions with their accepted answers and the answer that was given. An answer is
good if somebody who knows the accepted ones would call it right and complete; other words and more detail do
not matter, contradictions do. Say for each whether it is good, and why in a few words.

""" + "\n\n".join(blocks)
    return _messages("", task, Verdicts)


def _numbered(questions: list[str]) -> str:
    return "\n".join(f"{number}. {each}" for number, each in enumerate(questions, start=1))


def _messages(material: str, task: str, schema: type[Strict]) -> Messages:
    """Material first: requests that share it share a prefix, which services cache."""
    shape = f"Reply with JSON of this shape:\n{json.dumps(_SHAPES[schema])}"
    content = "\n\n".join(part for part in (material, task, shape) if part)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
