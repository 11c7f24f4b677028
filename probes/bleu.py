"""BLEU of two texts, by words between blanks, smoothed as RepoQA does it."""

import math
from collections import Counter
from fractions import Fraction

ORDER, K = 4, 5  # n-grams up to four; the constant of the smoothing


def bleu(prediction: str, reference: str) -> float:
    """BLEU-4 (Papineni et al. 2002) of one text against one reference, in [0, 1].

    Where no n-gram of a length is right, its share is taken as ``log(words) / (2 ** i * K * n-grams)``
    for the i-th such length: method 4 of Chen and Cherry (2014).
    """
    said, wanted = prediction.split(), reference.split()
    shares: list[float] = []
    missing = 0
    for length in range(1, ORDER + 1):
        found, right = _grams(said, length), _grams(wanted, length)
        hits, total = (found & right).total(), max(1, found.total())
        if length == 1 and hits == 0:
            return 0.0
        if hits == 0 and len(said) > 1:
            missing += 1
            shares.append(math.log(len(said)) / (2**missing * K) / total)
        else:
            shares.append(float(Fraction(hits, total)))
    if min(shares) == 0:
        return 0.0
    short = math.exp(1 - len(wanted) / len(said)) if len(said) < len(wanted) else 1.0
    return short * math.exp(sum(map(math.log, shares)) / ORDER)


def _grams(words: list[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))
