"""Frequent words: coded words whose counts follow a Zipf law (RULER section 3.3)."""

import math
import random
import string

from ruler.prompts import FweWording
from ruler.sample import Question, Sample
from ruler.tasks import FweTask

NOISE = "..."  # stands for the most frequent word, which is not asked for
TOKENS_PER_WORD = 50  # of the budget; the original's size of the vocabulary


class FweDraw:
    """All random choices of one sample. A unit of its haystack is one word, before rounding."""

    def __init__(self, task: FweTask, wording: FweWording, seed: str, length: int) -> None:
        self.task, self._wording, self.seed = task, wording, seed
        rng = random.Random(seed)
        count = max(task.answers + 2, (length - task.max_new_tokens) // TOKENS_PER_WORD)
        words: dict[str, None] = {NOISE: None}
        while len(words) < count:
            words["".join(rng.choices(string.ascii_lowercase, k=task.word_length))] = None
        self._words = list(words)
        self._norm = zeta(task.alpha)

    def minimum_size(self) -> int:
        """Fewest words that give the last answer a higher count than the next word."""
        last = self.task.answers + 1
        gap = last**-self.task.alpha - (last + 1) ** -self.task.alpha
        return math.ceil(self._norm / gap)

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` words before their counts are rounded down."""
        text: list[str] = []
        for rank, word in enumerate(self._words, start=1):
            text += [word] * int(size * rank**-self.task.alpha / self._norm)
        random.Random(f"{self.seed}/places/{size}").shuffle(text)
        count = self.task.answers
        question = Question(
            keys=(),
            text=self._wording.question.format(count=count),
            answer_prefix=self._wording.answer_prefix.format(count=count),
            answers=tuple(self._words[1 : 1 + count]),
        )
        return Sample(f"{self._wording.instruction}\n\n{' '.join(text)}\n", (question,))


def zeta(alpha: float) -> float:
    """Riemann's zeta function for ``alpha`` > 1, to about 1e-12 (sum and Euler-Maclaurin tail)."""
    terms = 1000
    head = math.fsum(rank**-alpha for rank in range(1, terms))
    tail = terms ** (1 - alpha) / (alpha - 1) + terms**-alpha / 2
    return head + tail + alpha * terms ** (-alpha - 1) / 12
