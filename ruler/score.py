"""RULER's metrics (its section 4): which answers occur in the prediction, as text."""

import re

from ruler.tasks import TASKS

_CONTROL = re.compile(r"[\x00-\x1f]")


def postprocess(prediction: str) -> str:
    """The prediction without surrounding blanks, with every control character made a newline."""
    return _CONTROL.sub("\n", prediction.strip()).strip()


def string_match_all(prediction: str, answers: list[str]) -> float:
    """The share of answers, in [0, 1], that occur in the prediction whatever their case.

    Raises:
        ValueError: there is no answer.
    """
    found = _found(prediction, answers)
    return sum(found) / len(found)


def string_match_part(prediction: str, answers: list[str]) -> float:
    """1 if any answer occurs in the prediction whatever its case, else 0.

    Raises:
        ValueError: there is no answer.
    """
    return float(any(_found(prediction, answers)))


def score(subtask: str, prediction: str, answers: list[str]) -> float:
    """The score of one prediction, in [0, 1], by the metric of its subtask.

    Args:
        subtask: a RULER task, also with the ending of ``tasks.with_questions`` (``-keys4``).
        prediction: the generated text, as it came; ``postprocess`` is applied here.
        answers: the row's answers.

    Raises:
        ValueError: no such subtask, or no answer.
    """
    name = subtask.split("-", 1)[0]
    if name in ("qa_1", "qa_2"):  # several spellings of one answer
        return string_match_part(postprocess(prediction), answers)
    if name not in TASKS:
        known = ", ".join([*TASKS, "qa_1", "qa_2"])
        raise ValueError(f"unknown RULER subtask {subtask!r}; known: {known}")
    return string_match_all(postprocess(prediction), answers)


def _found(prediction: str, answers: list[str]) -> list[bool]:
    if not answers:
        raise ValueError("there is no answer to score against; a row has at least one")
    lower = prediction.lower()
    return [answer.lower() in lower for answer in answers]
