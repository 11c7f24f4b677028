"""Groups that hold a half, a quarter, an eighth ... of a context: questions about them have all densities."""

import random
from collections.abc import Iterator, Sequence


def dealt(groups: Sequence[str], rng: random.Random) -> Iterator[str]:
    """A group for each line, without end: the shares are met in every ``2 ** len(groups)`` lines.

    One line in so many has the empty text: no group.
    """
    parts = 2 ** len(groups)
    round_ = [""]
    for halvings, group in enumerate(groups, start=1):
        round_ += [group] * (parts >> halvings)
    while True:
        yield from rng.sample(round_, len(round_))
