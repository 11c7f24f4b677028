"""Comparing texts: SQuAD's normalisation and scores, and where a quotation stands."""

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without punctuation and articles, single blanks (SQuAD; Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def f1(prediction: str, answer: str) -> float:
    """Token F1 of two normalised texts, in [0, 1]; two empty ones agree."""
    left, right = normalise(prediction).split(), normalise(answer).split()
    if not left or not right:
        return float(left == right)
    common = (Counter(left) & Counter(right)).total()
    return 2 * common / (len(left) + len(right))


def exact(prediction: str, answer: str) -> float:
    """1 if the normalised texts are equal, else 0."""
    return float(normalise(prediction) == normalise(answer))


def find_quote(
    quote: str, text: str, start: int = 0, end: int | None = None
) -> tuple[int, int] | None:
    """Where a quotation stands in ``text[start:end]``; blanks, case and kinds of quotes do not matter.

    A quotation of fewer than two words is none: it would be found anywhere.
    """
    words = quote.strip().strip("\"'\u201c\u201d\u2018\u2019").split()
    if len(words) < 2:
        return None
    pattern = r"\s+".join(_loosely(word) for word in words)
    found = re.compile(pattern, re.IGNORECASE).search(
        text, start, len(text) if end is None else end
    )
    return found.span() if found else None


# Characters that stand for one another in quotations, as character classes of a pattern.
_ALIKE = (r"['\u2018\u2019]", r"[\"\u201c\u201d]", r"[-\u2010\u2011\u2013\u2014]")


def _loosely(word: str) -> str:
    return "".join(
        next((kind for kind in _ALIKE if re.fullmatch(kind, each)), re.escape(each))
        for each in word
    )
