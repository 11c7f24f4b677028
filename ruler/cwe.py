"""Common words: a numbered list in which a few words come back far more often (RULER 3.3)."""

import random

from ruler import words
from ruler.prompts import CweWording
from ruler.sample import Question, Sample
from ruler.tasks import CweTask

SHORT = 4096  # tokens; below, every word comes back less often
DEMO_WORDS, DEMO_COUNTS = 40, (10, 3)
SHORT_DEMO_WORDS, SHORT_DEMO_COUNTS = 20, (3, 1)


class CweDraw:
    """All random choices of one sample. A unit of its haystack is a distinct word of the list.

    The context begins with a worked example on a list of its own.
    """

    def __init__(self, task: CweTask, wording: CweWording, seed: str, length: int) -> None:
        self.task, self._wording, self.seed = task, wording, seed
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
        vocabulary = words.vocabulary()
        self._words = self._rng.sample(vocabulary, len(vocabulary))
        self._taken = set(self._words)
        demo, self._words = self._words[:demo_words], self._words[demo_words:]
        self._question = self._ask(self._words)
        asked = self._ask(demo)
        answer = wording.answer.format(words=_numbered(demo[: task.common]))
        numbered = self._list(demo, demo_counts, random.Random(f"{seed}/demo"))
        self._head = (
            f"{wording.instruction}\n{numbered}\n"
            f"{asked.user_text}{answer}\n\n{wording.instruction}\n"
        )

    def minimum_size(self) -> int:
        """The common words and one other."""
        return self.task.common + 1

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` distinct words; the first ones drawn are the common ones."""
        while len(self._words) < size:
            # A list longer than the vocabulary goes on with compounds of two of its words.
            compound = self._rng.choice(words.adjectives()) + self._rng.choice(words.nouns())
            if compound not in self._taken:
                self._taken.add(compound)
                self._words.append(compound)
        order = random.Random(f"{self.seed}/places/{size}")
        numbered = self._list(self._words[:size], self._counts, order)
        return Sample(f"{self._head}{numbered}\n", (self._question,))

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
