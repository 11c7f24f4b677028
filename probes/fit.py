"""The most filler that fits into a length, found on sums of the lines' tokens."""

import bisect
import itertools
from dataclasses import dataclass

from probes.sample import Draw, Line
from rows.tokens import TokenCounter

BATCH = 32  # lines of filler at first; later as many as should do
CHECKS = 12  # of a whole text, where sums are not exact


class LengthError(ValueError):
    """The length cannot hold a sample. ``needed``: what its smallest form takes, in tokens."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


@dataclass(frozen=True)
class Laid:
    """A context as it is laid out.

    Attributes:
        text: all of it. lines: in order. starts: offset of each line, in characters.
        costs: tokens of each line, its line end included: exact where the counter is additive, else close.
        tokens: of the whole text.
    """

    text: str
    lines: list[Line]
    starts: list[int]
    costs: list[int]
    tokens: int


def fit(draw: Draw, counter: TokenCounter, room: int) -> Laid:
    """The sample with as much filler as ``room`` tokens hold; one line more would be too many.

    Where the tokenizer's tokens span lines, the whole text is counted too, and lines are taken away until it
    fits; then a few more might have fitted.

    Raises:
        LengthError: it is too long without any filler.
    """
    fixed = counter.added_each([f"{each.line.text}\n" for each in draw.planted])
    base = counter.count(draw.head) + sum(fixed)
    sums = [0]
    while base + sums[-1] <= room:
        done = len(sums) - 1
        mean = max(1.0, sums[-1] / done) if done else 0.0
        more = int((room - base - sums[-1]) / mean) + 1 if done else BATCH
        new = draw.filler(done + more)[done:]
        costs = counter.added_each([f"{each.text}\n" for each in new])
        sums += itertools.accumulate(costs, initial=sums.pop())
    count = bisect.bisect_right(sums, room - base) - 1
    if count < 0:
        raise LengthError("too long without filler", base)
    costs = [*fixed, *(after - first for first, after in itertools.pairwise(sums))]
    for _ in range(CHECKS):
        laid = lay_out(draw, count, costs, counter)
        if laid.tokens <= room:
            return laid
        if count == 0:
            break
        mean = max(1.0, sums[count] / count)
        count = max(0, count - max(1, int((laid.tokens - room) / mean)))
    raise LengthError("too long without filler", laid.tokens)


def lay_out(draw: Draw, count: int, costs: list[int], counter: TokenCounter) -> Laid:
    """The sample with ``count`` lines of filler. ``costs``: of the planted lines, then of the filler."""
    lines = [*(each.line for each in draw.planted), *draw.filler(count)]
    order = draw.order(count)
    laid = [lines[number] for number in order]
    text = draw.head + "".join(f"{each.text}\n" for each in laid)
    ends = itertools.accumulate((len(each.text) + 1 for each in laid), initial=len(draw.head))
    starts = list(ends)[:-1]
    found = [costs[number] for number in order]
    tokens = counter.count(draw.head) + sum(found) if counter.additive else counter.count(text)
    return Laid(text, laid, starts, found, tokens)
