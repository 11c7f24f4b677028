"""ROUGE-L as the package ``rouge`` 1.0.1 computes it, without recursion and in time for long texts.

That package is what LongBench's published numbers were made with, and it is neither ROUGE-1.5.5 nor
``rouge_score``: sentences end at a full stop only, lengths count distinct words, and the overlap is
the set of words that lie on a longest common subsequence of any pair of sentences. It recurses once
for every word, so two sentences of about a thousand words together make it fail, which LongBench
scores 0. Here they get the score that the same formula gives.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_SMOOTHING = 1e-8  # keeps 0 / 0 away; a text against itself scores a hair under 1


def rouge_l(prediction: str, reference: str) -> float:
    """F-measure in [0, 1) of a prediction; 0 if one of the texts has no sentence."""
    hypothesis, wanted = _sentences(prediction), _sentences(reference)
    if not hypothesis or not wanted:
        return 0.0
    common: set[str] = set()
    for sentence in wanted:
        for other in hypothesis:
            common |= common_words(sentence, other)
    recall = len(common) / len(_distinct(wanted))
    precision = len(common) / len(_distinct(hypothesis))
    return 2 * precision * recall / (precision + recall + _SMOOTHING)


def common_words(first: list[str], second: list[str]) -> set[str]:
    """The words of one longest common subsequence of two lists of words.

    Of several longest ones it is the one found from the ends, stepping back in ``second`` where
    both ways are equally long: the choice decides how many distinct words it has.
    """
    table = lcs_table(first, second)
    words = set()
    i, j = len(first), len(second)
    while i > 0 and j > 0:
        if first[i - 1] == second[j - 1]:
            words.add(first[i - 1])
            i, j = i - 1, j - 1
        elif table[i - 1, j] > table[i, j - 1]:
            i -= 1
        else:
            j -= 1
    return words


def lcs_table(first: list[str], second: list[str]) -> "np.ndarray":
    """Lengths of the longest common subsequences of all beginnings: ``[len(first) + 1, len(second) + 1]``."""
    import numpy as np  # late: settings are checked without it

    ids: dict[str, int] = {}
    codes = np.array([ids.setdefault(word, len(ids)) for word in second], dtype=np.int64)
    table = np.zeros((len(first) + 1, len(second) + 1), dtype=np.int32)
    for i, word in enumerate(first):
        # A row grows by at most one at every equal word, and never falls.
        longer = np.maximum(table[i, 1:], table[i, :-1] + (codes == ids.get(word, -1)))
        np.maximum.accumulate(longer, out=table[i + 1, 1:])
    return table


def _sentences(text: str) -> list[list[str]]:
    # A sentence of blanks is one empty word in that package, and counts as such.
    return [" ".join(part.split()).split(" ") for part in text.split(".") if part]


def _distinct(sentences: list[list[str]]) -> set[str]:
    return {word for sentence in sentences for word in sentence}
