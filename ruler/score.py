"""RULER's metrics (its section 4): which answers occur in the prediction, as text.

They count substrings, so luck helps: "no" is in "not", a prediction that repeats the whole prompt
gets everything, and a quarter of the words to count are parts of others. They are kept, for
comparison with other people's numbers, and ``strict`` stands beside them.
"""

import re
import string

from ruler.tasks import TASKS

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
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
    if _is_qa(subtask):  # several spellings of one answer
        return string_match_part(postprocess(prediction), answers)
    return string_match_all(postprocess(prediction), answers)


def strict(subtask: str, prediction: str, answers: list[str]) -> float:
    """The score without luck, in [0, 1]; arguments and errors as ``score``.

    Of question answering: 1 if the first line is one of the answers, but for case, punctuation and
    articles (SQuAD's exact match). Otherwise: the share of answers among the first words of their
    kind, as many as there are answers. Kinds are numbers, uuids, names in capitals and other words,
    all but the last of the answers' length.
    """
    text = postprocess(prediction)
    _found(text, answers)
    if _is_qa(subtask):
        first = text.split("\n", 1)[0]
        return float(_plain(first) in {_plain(answer) for answer in answers})
    wanted = {answer.lower() for answer in answers}
    kinds = {_kind(answer) for answer in answers}
    named = [word.lower() for word in _words(text, answers) if _kind(word) in kinds]
    first_named = list(dict.fromkeys(named))[: len(wanted)]
    return sum(word in wanted for word in first_named) / len(wanted)


def found(prediction: str, answers: list[str]) -> list[bool]:
    """Which answers occur in the prediction whatever their case, in order."""
    return _found(postprocess(prediction), answers)


def _is_qa(subtask: str) -> bool:
    name = subtask.split("-", 1)[0]
    if name not in TASKS:
        raise ValueError(f"unknown RULER subtask {subtask!r}; known: {', '.join(TASKS)}")
    return TASKS[name].family == "qa"


def _words(text: str, answers: list[str]) -> list[str]:
    """The words of a text. An answer with a blank or an apostrophe in it is one word, too."""
    odd = sorted({each for each in answers if not _WORD.fullmatch(each)}, key=len, reverse=True)
    if not odd:
        return _WORD.findall(text)
    whole = "|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in odd)
    return re.findall(f"{whole}|{_WORD.pattern}", text, re.IGNORECASE)


def _kind(word: str) -> tuple[str, int]:
    if word.isdecimal():
        return "number", len(word)
    if _UUID.fullmatch(word.lower()):
        return "uuid", len(word)
    if word.isalpha() and word.isupper() and len(word) > 1:
        return "name", len(word)
    return "word", 0


def _plain(text: str) -> str:
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(_ARTICLE.sub(" ", text).split())


def _found(prediction: str, answers: list[str]) -> list[bool]:
    if not answers:
        raise ValueError("there is no answer to score against; a row has at least one")
    lower = prediction.lower()
    return [answer.lower() in lower for answer in answers]
