"""Scores that several sets share: the published way, with its faults, and the strict one."""

import re
import string
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation.replace("-", ""))
_END = re.compile(r"[.!?](?=\s|$)")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def answer_of(prediction: str) -> str:
    """The answer in a prediction: its first line with text, up to the end of a sentence."""
    line = next((each.strip() for each in prediction.splitlines() if each.strip()), "")
    end = _END.search(line)
    return line[: end.start()] if end else line


def plain(text: str) -> str:
    """Lower case, without punctuation (hyphens stay) and articles, single blanks."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def strict(prediction: str, answers: Sequence[str]) -> float:
    """1 if the answer in the prediction is one of ``answers`` but for case, punctuation and articles."""
    return float(plain(answer_of(prediction)) in {plain(answer) for answer in answers})


def contains(prediction: str, answers: Sequence[str]) -> float:
    """1 if any answer stands in the prediction, case and all, as SCBench and NoLiMa count."""
    return float(any(answer in prediction for answer in answers))


def strict_and_contained(prediction: str, answers: Sequence[str]) -> dict[str, float]:
    """``score`` and ``strict``: as ``strict``; ``official``: as ``contains``."""
    found = strict(prediction, answers)
    return {"score": found, "official": contains(prediction, answers), "strict": found}


def as_set(prediction: str) -> set[str]:
    """The answers in the first line of a prediction, commas or blanks between them."""
    line = next((each for each in prediction.splitlines() if each.strip()), "")
    return {part for each in re.split(r"[,;\s]+|\band\b", line) if (part := plain(each))}


def set_f1(prediction: str, answers: Sequence[str]) -> float:
    """F1 of two sets of answers, in [0, 1]; two empty ones agree."""
    found, wanted = as_set(prediction), {plain(each) for each in answers}
    if not found or not wanted:
        return float(found == wanted)
    return 2 * len(found & wanted) / (len(found) + len(wanted))


def overlap(prediction: str, answers: Sequence[str]) -> float:
    """Intersection over union of two sets of answers, in [0, 1]; two empty ones agree."""
    found, wanted = as_set(prediction), {plain(each) for each in answers}
    return len(found & wanted) / len(found | wanted) if found | wanted else 1.0


def set_exact(prediction: str, answers: Sequence[str]) -> float:
    """1 if the prediction's first line names all answers and no other."""
    return float(as_set(prediction) == {plain(each) for each in answers})
