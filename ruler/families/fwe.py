"""Frequent words: coded words whose counts follow a Zipf law (RULER section 3.3)."""

import bisect
import itertools
import math
import random
import string
from typing import Any

from rows.tokens import TokenCounter
from ruler.families.sample import Question, Sample
from ruler.prompts import FweWording
from ruler.tasks import FweTask

NOISE = "..."  # stands for the most frequent word, which is not asked for
MOST_WORDS = 1_000_000  # of the smallest text
TOKENS_PER_WORD = 50  # of the budget; the original's size of the vocabulary


def check_words(task: FweTask, length: int) -> None:
    """Refuses what no text can hold.

    Raises:
        ValueError: there are not as many different words, or the answers come too seldom.
    """
    _vocabulary(task, length)
    if not _fewest(task) <= MOST_WORDS:
        raise ValueError(
            f"alpha is {task.alpha} and answers is {task.answers}: no text of at most {MOST_WORDS} words "
            "tells so many words apart by how often they come; give less of either"
        )


def _vocabulary(task: FweTask, length: int) -> int:
    """How many different words a text of that length has, the one of dots among them."""
    count = max(task.answers + 2, (length - task.max_new_tokens) // TOKENS_PER_WORD)
    there_are = len(string.ascii_lowercase) ** task.word_length
    if count > there_are:  # all but one of them are drawn
        raise ValueError(
            f"word_length is {task.word_length}; expected more: {there_are} words have as many letters, and "
            f"{count} are needed at length {length}"
        )
    return count


def _fewest(task: FweTask) -> float:
    """Words of a text in which the last answer comes more often than the next word."""
    last = task.answers + 1
    gap = last**-task.alpha - (last + 1) ** -task.alpha
    return zeta(task.alpha) / gap if gap else math.inf


class FweDraw:
    """All random choices of one sample. A unit of its haystack is one word, before rounding."""

    def __init__(
        self, task: FweTask, wording: FweWording, seed: str, length: int, order: str | None = None
    ) -> None:
        """``order``: seed of the words' places if not ``seed``."""
        self.task, self._wording, self.seed = task, wording, seed
        self._order = order or seed
        rng = random.Random(seed)
        count = _vocabulary(task, length)
        words: dict[str, None] = {NOISE: None}
        while len(words) < count:
            words["".join(rng.choices(string.ascii_lowercase, k=task.word_length))] = None
        self._words = list(words)
        self._norm = zeta(task.alpha)
        self._costs: list[int] | None = None  # tokens of every word behind others

    def minimum_size(self) -> int:
        """Fewest words that give the last answer a higher count than the next word."""
        return math.ceil(_fewest(self.task))

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` words before their counts are rounded down."""
        text = [word for word, count in self.counts(size) for _ in range(count)]
        shuffle(text, random.Random(f"{self._order}/places/{size}"))
        return Sample(f"{self._head}{' '.join(text)}\n", self.questions(size))

    def counts(self, size: int) -> list[tuple[str, int]]:
        """Every word with how often it comes, most frequent first; 0 times from some rank on."""
        shares = ((rank, word) for rank, word in enumerate(self._words, start=1))
        return [(word, int(size * rank**-self.task.alpha / self._norm)) for rank, word in shares]

    def tokens(self, size: int, counter: TokenCounter) -> int:
        """Tokens of the context of that size, added up from its parts."""
        first, last = self._ends(self.counts(size), size)
        # The first word has no blank before it, and a line end comes behind the last.
        ends = counter.added(first) - counter.added(f" {first}")
        ends += counter.added(f" {last}\n") - counter.added(f" {last}")
        return self.rough_tokens(size, counter) + ends

    def rough_tokens(self, size: int, counter: TokenCounter) -> int:
        """``tokens`` as if every word stood between others: without the shuffle, which takes longest."""
        if self._costs is None:
            self._costs = counter.added_each([f" {word}" for word in self._words])
        counts = self.counts(size)
        inside = sum(cost * count for cost, (_, count) in zip(self._costs, counts, strict=True))
        return counter.count(self._head) + inside

    def _ends(self, counts: list[tuple[str, int]], size: int) -> tuple[str, str]:
        """First and last word of the text: the shuffle of ``lay_out``, on numbers only."""
        number = sum(count for _, count in counts)
        places = list(range(number))
        shuffle(places, random.Random(f"{self._order}/places/{size}"))
        sums = list(itertools.accumulate(count for _, count in counts))
        first, last = (bisect.bisect_right(sums, place) for place in (places[0], places[-1]))
        return counts[first][0], counts[last][0]

    @property
    def _head(self) -> str:
        return f"{self._wording.instruction}{self._wording.joint}"

    def questions(self, size: int) -> tuple[Question, ...]:
        """The one question, whatever the size."""
        count = self.task.answers
        question = Question(
            keys=(),
            text=self._wording.question.format(count=count),
            answer_prefix=self._wording.answer_prefix.format(count=count),
            answers=tuple(self._words[1 : 1 + count]),
        )
        return (question,)


def shuffle(items: list[Any], rng: random.Random) -> None:
    """What ``rng.shuffle`` does, inlined: it takes half of the time, which here is most of it."""
    draw = rng.getrandbits
    for last in range(len(items) - 1, 0, -1):
        bits = (last + 1).bit_length()
        while (chosen := draw(bits)) > last:
            pass
        items[last], items[chosen] = items[chosen], items[last]


def zeta(alpha: float) -> float:
    """Riemann's zeta function for ``alpha`` > 1, to about 1e-12 (sum and Euler-Maclaurin tail)."""
    terms = 1000
    head = math.fsum(rank**-alpha for rank in range(1, terms))
    tail = terms ** (1 - alpha) / (alpha - 1) + terms**-alpha / 2
    return head + tail + alpha * terms ** (-alpha - 1) / 12
