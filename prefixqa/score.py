"""Scores of a prediction: SQuAD's token F1 and exact match, the best over the accepted answers."""

import re

from prefixqa.text import exact, f1

# The end of a sentence, where a prefix made the answer a part of one.
_SENTENCE_END = re.compile(r"[.!?](?=\s+[\"'(\[]?[A-Z]|\s*$)")


def answer_of(prediction: str, answer_prefix: str) -> str:
    """The answer in a prediction: its first line with text; after a prefix, up to the sentence's end.

    A model without an instruction to stop goes on as the document does; that is no part of the answer.
    """
    line = next((each.strip() for each in prediction.splitlines() if each.strip()), "")
    if answer_prefix.strip() and (end := _SENTENCE_END.search(line)):
        line = line[: end.start()]
    return line


def score(prediction: str, answers: list[str], answer_prefix: str = "") -> dict[str, float]:
    """``f1`` and ``exact``, each in [0, 1].

    Raises:
        ValueError: there is no answer.
    """
    if not answers:
        raise ValueError("there is no answer to score against; a row has at least one")
    given = answer_of(prediction, answer_prefix)
    return {
        "f1": max(f1(given, answer) for answer in answers),
        "exact": max(exact(given, answer) for answer in answers),
    }
