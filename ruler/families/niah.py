"""Needle-in-a-haystack contexts: needles, haystack, questions (RULER 3.1 and appendix B)."""

import itertools
import random
from collections.abc import Callable

from rows.tokens import BLANKS, TokenCounter
from ruler.families.code import Code
from ruler.families.essay import Essay
from ruler.families.sample import Needle, Question, Sample
from ruler.prompts import NiahWording
from ruler.sources import words
from ruler.tasks import NiahTask

__all__ = ["DEPTH_GRID", "Needle", "NiahDraw", "Question", "in_words"]

DEPTH_GRID = tuple(round(100 * i / 39) for i in range(40))  # per cent, the original's 40 depths


class NiahDraw:
    """All random choices of one sample, drawn once, so that a haystack of any size can be laid out.

    Growing the haystack keeps what was there: keys, values and the first distractors do not depend
    on the size. The needles' places do, and so do questions about distractors.
    """

    def __init__(
        self,
        task: NiahTask,
        wording: NiahWording,
        seed: str,
        questions: int,
        text: Essay | Code | None = None,
    ) -> None:
        """``seed`` decides everything that is drawn; ``text`` is that of a haystack of essays or code.

        Raises:
            ValueError: such a haystack without its text, or essays with more needles than depths.
        """
        self.task, self.wording, self.seed = task, wording, seed
        wanted = task.haystack == "essay" or task.text is not None
        if wanted and text is None:
            raise ValueError(f"task {task.name} has an essay haystack but no essay text was given")
        self._essay = text if wanted and isinstance(text, Essay) else None
        self._code = text if wanted and isinstance(text, Code) else None
        rng = random.Random(seed)
        self._taken: set[str] = set()
        distractor_rng = random.Random(f"{seed}/distractors")
        self._next_key = words.drawer(task.key_type, distractor_rng)
        self._next_value = words.drawer(task.value_type, distractor_rng)
        self._distractors: list[Needle] = []
        self._sums: list[int] | None = None  # tokens of the first 0, 1, 2... distractors' lines
        keys = words.draw_distinct(task.key_type, task.keys, rng, self._taken)
        value = words.drawer(task.value_type, rng)
        self.needles = [self._needle(key, value) for key in keys for _ in range(task.values)]
        self._question_count = questions
        if self._essay is not None and len(self.needles) > len(DEPTH_GRID):
            raise ValueError(
                f"task {task.name} plants {len(self.needles)} needles, but an essay haystack has "
                f"{len(DEPTH_GRID)} places for them: ask fewer questions per context"
            )

    def _needle(self, key: str, next_value: Callable[[], str]) -> Needle:
        value = words.distinct(next_value, self._taken)
        return Needle(key, value, self._text(key, value))

    def _text(self, key: str, value: str) -> str:
        return self.wording.needle.format(types=self.task.value_type, key=key, value=value)

    def _distractors_to(self, size: int) -> list[Needle]:
        """The first ``size`` distractors."""
        for _ in range(size - len(self._distractors)):
            key = words.distinct(self._next_key, self._taken)
            self._distractors.append(self._needle(key, self._next_value))
        return self._distractors[:size]

    def minimum_size(self) -> int:
        """Fewest haystack units that hold the needles and the questions."""
        if self._essay is not None:
            return 1
        if self.task.haystack == "needle":
            wanted = self.task.queries * self._question_count
            return max(len(self.needles), wanted - self.task.keys, 1)
        return len(self.needles)

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` units of haystack: noise blocks, distractors, lines of code or
        essay words."""
        if self._essay is not None:
            lines, joint = self._essay_pieces(self._essay, size), " "
        else:
            lines, joint = self._lines(size), "\n"
        head = self._head()
        context = head + joint.join(text for text, _ in lines) + "\n"
        questions = self.questions(size)
        asked = {key for question in questions for key in question.keys}
        needles, offsets, offset = [], [], len(head)
        for text, needle in lines:
            if needle is not None and needle.key in asked:
                needles.append(needle)
                offsets.append(offset)
            offset += len(text) + 1
        return Sample(context, questions, tuple(needles), tuple(offsets))

    def tokens(self, size: int, counter: TokenCounter) -> int:
        """Tokens of the context of that size, added up from its parts."""
        head = counter.count(self._head())
        needles = [needle.text for needle in self.needles]
        if self._essay is not None:
            return head + self._essay_tokens(self._essay, size, needles, counter)
        planted = sum(counter.added_each([f"{text}\n" for text in needles]))
        if self.task.haystack == "noise":
            return head + planted + size * counter.added(f"{self.wording.noise}\n")
        if self._code is not None:
            return head + planted + self._code.tokens(size, counter)
        if self._sums is None:
            self._sums = [0]
        if (done := len(self._sums) - 1) < size:
            new = [(needle.key, needle.value) for needle in self._distractors_to(size)[done:]]
            costs = counter.added_filled(self._text(*BLANKS) + "\n", new)
            self._sums += itertools.accumulate(costs, initial=self._sums.pop())
        return head + planted + self._sums[size]

    def _essay_tokens(
        self, essay: Essay, size: int, needles: list[str], counter: TokenCounter
    ) -> int:
        inside = essay.tokens(size, counter) + sum(counter.added_each([f" {t}" for t in needles]))
        # At its ends the text has no blank before a word, and a line end behind one.
        order, sentences = self._essay_order(), essay.sentence_count(size)
        (depth, needle), (deepest, deep) = order[0], order[-1]
        first = needle.text.split(" ")[0] if sentences * depth < 100 else essay.word(0)
        last = deep.text.split(" ")[-1] if deepest == 100 else essay.word(size - 1)
        ends = counter.added(first) + counter.added(f" {last}\n")
        return inside + ends - counter.added(f" {first}") - counter.added(f" {last}")

    def _essay_order(self) -> list[tuple[int, Needle]]:
        """The needles in the order of the text, each with its depth in per cent."""
        rng = random.Random(f"{self.seed}/depths")
        depths = sorted(rng.sample(DEPTH_GRID, len(self.needles)))
        return list(zip(depths, rng.sample(self.needles, len(self.needles)), strict=True))

    def _head(self) -> str:
        single = self._single
        instruction = self.wording.instruction_single if single else self.wording.instruction
        value_type = self.task.value_type
        return instruction.format(types=value_type, type=value_type.removesuffix("s")) + "\n"

    @property
    def _single(self) -> bool:
        return self.task.queries * self.task.values == 1

    def _lines(self, size: int) -> list[tuple[str, Needle | None]]:
        """Noise blocks, distractors or code, a line each, with the needles' lines between them."""
        rng = random.Random(f"{self.seed}/places/{size}")
        places = rng.sample(range(size), len(self.needles))
        planted = dict(zip(places, self.needles, strict=True))
        hay: list[tuple[str, Needle | None]] = [(self.wording.noise, None)] * size
        if self.task.haystack == "needle":
            hay = [(each.text, each) for each in self._distractors_to(size)]
        elif self._code is not None:
            hay = [(line, None) for line in self._code.lines(size)]
        lines, done = [], 0
        for place in sorted(planted):
            lines += [*hay[done:place], (planted[place].text, planted[place])]
            done = place
        return lines + hay[done:]

    def _essay_pieces(self, essay: Essay, size: int) -> list[tuple[str, Needle | None]]:
        """Sentences of the first ``size`` words, with the needles between them at grid depths."""
        sentences = essay.sentences(size)
        pieces: list[tuple[str, Needle | None]] = []
        start = 0
        for depth, needle in self._essay_order():
            end = len(sentences) * depth // 100
            pieces += [(sentence, None) for sentence in sentences[start:end]]
            pieces.append((needle.text, needle))
            start = end
        return pieces + [(sentence, None) for sentence in sentences[start:]]

    def questions(self, size: int) -> tuple[Question, ...]:
        """The questions of the sample of that size."""
        rng = random.Random(f"{self.seed}/questions")
        pool = list(dict.fromkeys(needle.key for needle in self.needles))
        rng.shuffle(pool)
        everything = list(self.needles)
        wanted = self.task.queries * self._question_count
        if self.task.haystack == "needle" and wanted > len(pool):
            distractors = self._distractors_to(size)
            everything += distractors
            # Drawn over the whole haystack, so that questions reach every depth.
            pool += [needle.key for needle in rng.sample(distractors, wanted - len(pool))]
        if wanted > len(pool):
            raise ValueError(
                f"{self._question_count} questions about {self.task.queries} keys each need {wanted} "
                f"keys, but {self.task.name} plants {len(pool)}; see ruler.tasks.with_questions"
            )
        values: dict[str, list[str]] = {}
        for needle in everything:
            values.setdefault(needle.key, []).append(needle.value)
        asked = [pool[i : i + self.task.queries] for i in range(0, wanted, self.task.queries)]
        return tuple(self._question(keys, values) for keys in asked)

    def _question(self, keys: list[str], values: dict[str, list[str]]) -> Question:
        single = self._single
        names = {
            "types": self.task.value_type,
            "type": self.task.value_type.removesuffix("s"),
            "keys": in_words(keys, self.wording.numbered),
        }
        wording = self.wording
        question = wording.question_single if single else wording.question
        prefix = wording.answer_prefix_single if single else wording.answer_prefix
        answers = tuple(value for key in keys for value in values[key])
        return Question(tuple(keys), question.format(**names), prefix.format(**names), answers)


def in_words(keys: list[str], numbered: bool = True) -> str:
    """The queried keys as English text: ``a``, ``(1) a and (2) b``, ``(1) a, (2) b, and (3) c``.

    Without numbers it is the original's list: ``a, and b``, ``a, b, and c``.
    """
    if len(keys) == 1:
        return keys[0]
    if not numbered:
        return ", ".join(keys[:-1]) + f", and {keys[-1]}"
    named = [f"({number}) {key}" for number, key in enumerate(keys, start=1)]
    if len(keys) == 2:
        return " and ".join(named)
    return ", ".join(named[:-1]) + ", and " + named[-1]
