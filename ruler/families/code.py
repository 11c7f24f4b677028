"""The code haystack: lines of modules, which keep their line ends and blanks."""

import itertools

from rows.tokens import TokenCounter
from texts.catalogue import Corpus


class Code:
    """Lines to cut haystacks from. They start again from the first when they run out."""

    def __init__(self, corpus: Corpus) -> None:
        """``corpus``: a text whose line ends matter."""
        self.fingerprint = corpus.fingerprint
        # A module's own empty lines say nothing and would be a third of all lines.
        lines = (line for each in corpus.documents for line in each.text.splitlines())
        self._take([line for line in lines if line.strip()])

    def _take(self, lines: list[str]) -> None:
        self._lines = lines
        self._sums: dict[str, list[int]] = {}  # by tokenizer: of the first 0, 1, 2... lines

    def begun_at(self, share: float) -> "Code":
        """The lines from another place on; ``share``: of those in front of it, in [0, 1)."""
        first = int(share * len(self._lines))
        other = Code.__new__(Code)
        other.fingerprint = self.fingerprint
        other._take(self._lines[first:] + self._lines[:first])
        return other

    def lines(self, count: int) -> list[str]:
        """The first lines."""
        return list(itertools.islice(itertools.cycle(self._lines), count))

    def tokens(self, count: int, counter: TokenCounter) -> int:
        """Tokens of the first lines, each with the line end behind it."""
        sums = self._sums.setdefault(counter.fingerprint, [0])
        rounds, rest = divmod(count, len(self._lines))
        wanted = len(self._lines) if rounds else rest
        if (done := len(sums) - 1) < wanted:
            costs = counter.added_each([f"{line}\n" for line in self._lines[done:wanted]])
            sums += itertools.accumulate(costs, initial=sums.pop())
        return rounds * sums[-1] + sums[rest] if rounds else sums[rest]
