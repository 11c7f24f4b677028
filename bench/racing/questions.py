"""Which questions each look asks: the same for every candidate, spread over all contexts."""

import math
import random
from collections.abc import Mapping, Sequence

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)  # of all questions, at each look
FEWEST = 2  # questions of a look: one alone says nothing about other contexts


def looks(questions: Mapping[str, Sequence[str]], seed: int) -> tuple[tuple[str, ...], ...]:
    """The questions that are asked up to each look.

    Each context gives one question before any gives a second one: questions on one context say less about the
    next context than as many on several. Which comes first is drawn, as rows may stand in the order of
    their places in a document.

    Args:
        questions: ids by context. seed: of the draws.
    """
    drawn = {}
    for context, names in questions.items():
        drawn[context] = list(names)
        random.Random(f"{seed} {context}").shuffle(drawn[context])
    order = list(drawn)
    random.Random(seed).shuffle(order)
    most = max(map(len, drawn.values()))
    turn = [drawn[name][at] for at in range(most) for name in order if at < len(drawn[name])]
    return tuple(tuple(turn[: max(FEWEST, math.ceil(share * len(turn)))]) for share in SHARES)
