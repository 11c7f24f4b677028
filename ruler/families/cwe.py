"""Common words: a numbered list in which a few words come back far more often (RULER 3.3)."""

import itertools
import random

from rows.tokens import TokenCounter
from ruler.families.sample import Question, Sample
from ruler.prompts import CweWording
from ruler.sources import words
from ruler.tasks import CweTask

SHORT = 4096  # tokens; below, every word comes back less often
DEMO_WORDS, DEMO_COUNTS = 40, (10, 3)
SHORT_DEMO_WORDS, SHORT_DEMO_COUNTS = 20, (3, 1)


def check_common(task: CweTask, length: int) -> None:
    """Refuses more common words than the worked example has words, one of them another.

    Raises:
        ValueError: says how many there may be.
    """
    most = (SHORT_DEMO_WORDS if length < SHORT else DEMO_WORDS) - 1
    if task.common > most:
        raise ValueError(
            f"common is {task.common}; expected at most {most} at length {length}: the worked example of "
            f"{task.name} has {most + 1} words"
        )


class CweDraw:
    """All random choices of one sample. A unit of its haystack is a distinct word of the list.

    The context begins with a worked example on a list of its own.
    """

    def __init__(
        self,
        task: CweTask,
        wording: CweWording,
        seed: str,
        length: int,
        order: str | None = None,
        raw: bool = False,
    ) -> None:
        """``order``: seed of the entries' places if not ``seed``; ``raw``: of all words."""
        self.task, self._wording, self.seed = task, wording, seed
        self._order = order or seed
        short = length < SHORT
        self._counts = (
            (task.short_common_count, task.short_other_count)
            if short
            else (task.common_count, task.other_count)
        )
        demo_words, demo_counts = (
            (SHORT_DEMO_WORDS, SHORT_DEMO_COUNTS) if short else (DEMO_WORDS, DEMO_COUNTS)
        )
        self._rng = random.Random(seed)
        vocabulary = words.vocabulary(raw)
        self._sums: list[int] = []  # tokens of the entries of the first 1, 2, 3... words
        self._words = self._rng.sample(vocabulary, len(vocabulary))
        self._taken = set(self._words)
        demo, self._words = self._words[:demo_words], self._words[demo_words:]
        self._question = self._ask(self._words)
        asked = self._ask(demo)
        answer = wording.answer.format(words=_numbered(demo[: task.common]))
        numbered = self._list(demo, demo_counts, random.Random(f"{seed}/demo"))
        self._head = (
            f"{wording.instruction}\n{numbered}\n"
            f"{asked.user_text}{answer}{wording.joint}{wording.instruction}\n"
        )

    def minimum_size(self) -> int:
        """The common words and one other."""
        return self.task.common + 1

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` distinct words; the first ones drawn are the common ones."""
        self._extend(size)
        order = random.Random(f"{self._order}/places/{size}")
        numbered = self._list(self._words[:size], self._counts, order)
        return Sample(f"{self._head}{numbered}\n", self.questions(size))

    def questions(self, size: int) -> tuple[Question, ...]:
        """The one question, whatever the size."""
        return (self._question,)

    def tokens(self, size: int, counter: TokenCounter) -> int:
        """Tokens of the context of that size, added up from its parts."""
        self._extend(size)
        common, (often, seldom) = self.task.common, self._counts
        if (done := len(self._sums)) < size:
            costs = counter.added_each([f" {word}" for word in self._words[done:size]])
            times = [often if done + i < common else seldom for i in range(len(costs))]
            new = [cost * count for cost, count in zip(costs, times, strict=True)]
            before = self._sums[-1:] or [0]
            self._sums += list(itertools.accumulate(new, initial=before[0]))[1:]
        entries = common * often + (size - common) * seldom
        word = self._words[0]
        # The first entry has no blank before it, and a line end comes behind the last.
        ends = counter.added("1.") - counter.added(" 1.")
        ends += counter.added(f" {word}\n") - counter.added(f" {word}")
        listed = counter.numbered(entries) + self._sums[size - 1]
        return counter.count(self._head) + listed + ends

    def _extend(self, size: int) -> None:
        while len(self._words) < size:
            # A list longer than the vocabulary goes on with compounds of two of its words.
            compound = self._rng.choice(words.adjectives()) + self._rng.choice(words.nouns())
            if compound not in self._taken:
                self._taken.add(compound)
                self._words.append(compound)

    def _list(self, chosen: list[str], counts: tuple[int, int], order: random.Random) -> str:
        common, others = chosen[: self.task.common], chosen[self.task.common :]
        entries = common * counts[0] + others * counts[1]
        order.shuffle(entries)
        return _numbered(entries)

    def _ask(self, chosen: list[str]) -> Question:
        count = self.task.common
        return Question(
            keys=(),
            text=self._wording.question.format(count=count),
            answer_prefix=self._wording.answer_prefix.format(count=count),
            answers=tuple(chosen[:count]),
        )


def _numbered(entries: list[str]) -> str:
    return " ".join(f"{number}. {entry}" for number, entry in enumerate(entries, start=1))
