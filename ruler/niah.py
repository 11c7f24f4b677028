"""Needle-in-a-haystack contexts: needles, haystack, questions (RULER section 3.1 and appendix B)."""

import random
from dataclasses import dataclass

from ruler import words
from ruler.prompts import NiahWording
from ruler.tasks import NiahTask

DEPTH_GRID = tuple(round(100 * i / 39) for i in range(40))  # per cent, the original's 40 depths


@dataclass(frozen=True)
class Needle:
    """A planted fact. ``text`` is its sentence."""

    key: str
    value: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question about a context: its wording and the values that answer it, in query order."""

    keys: tuple[str, ...]
    text: str
    answer_prefix: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class NiahSample:
    """A haystack with its questions.

    Attributes:
        context: instruction and haystack, the fixed context.
        questions: the questions asked about it.
        needles: the needles asked for, in the order of their place in the text.
        offsets: character offset of each of those needles' sentence in ``context``.
    """

    context: str
    questions: tuple[Question, ...]
    needles: tuple[Needle, ...]
    offsets: tuple[int, ...]


class NiahDraw:
    """All random choices of one sample, drawn once, so that any haystack size can be laid out from it.

    Growing the haystack keeps what was there: keys, values, questions and the first distractors do not
    depend on the size. Only the needles' places do.
    """

    def __init__(self, task: NiahTask, wording: NiahWording, seed: str, questions: int) -> None:
        self.task, self.wording, self.seed = task, wording, seed
        rng = random.Random(seed)
        self._taken: set[str] = set()
        self._distractor_rng = random.Random(f"{seed}/distractors")
        self._distractors: list[Needle] = []
        keys = words.draw_distinct(task.key_type, task.keys, rng, self._taken)
        self.needles = [self._needle(key, rng) for key in keys for _ in range(task.values)]
        self._question_count = questions

    def _needle(self, key: str, rng: random.Random) -> Needle:
        value = words.draw_distinct(self.task.value_type, 1, rng, self._taken)[0]
        text = self.wording.needle.format(types=self.task.value_type, key=key, value=value)
        return Needle(key, value, text)

    def _distractor(self, index: int) -> Needle:
        while len(self._distractors) <= index:
            rng = self._distractor_rng
            key = words.draw_distinct(self.task.key_type, 1, rng, self._taken)[0]
            self._distractors.append(self._needle(key, rng))
        return self._distractors[index]

    def minimum_size(self) -> int:
        """Fewest haystack units that hold the needles and the questions."""
        if self.task.haystack == "needle":
            return max(len(self.needles), self.task.queries * self._question_count - self.task.keys, 1)
        return len(self.needles)

    def lay_out(self, size: int) -> NiahSample:
        """The sample with a haystack of ``size`` units (noise blocks or distractor needles)."""
        wording, task = self.wording, self.task
        single = task.queries * task.values == 1
        rng = random.Random(f"{self.seed}/places/{size}")
        places = rng.sample(range(size), len(self.needles))
        planted = dict(zip(places, self.needles, strict=True))
        lines: list[tuple[str, Needle | None]] = []
        for unit in range(size):
            if unit in planted:
                lines.append((planted[unit].text, planted[unit]))
            if task.haystack == "needle":
                distractor = self._distractor(unit)
                lines.append((distractor.text, distractor))
            else:
                lines.append((wording.noise, None))
        instruction = wording.instruction_single if single else wording.instruction
        head = instruction.format(types=task.value_type, type=task.value_type.removesuffix("s"))
        context = "\n".join([head, *(text for text, _ in lines)]) + "\n"
        questions = self._questions(single, size)
        asked = {key for question in questions for key in question.keys}
        needles, offsets, offset = [], [], len(head) + 1
        for text, needle in lines:
            if needle is not None and needle.key in asked:
                needles.append(needle)
                offsets.append(offset)
            offset += len(text) + 1
        return NiahSample(context, tuple(questions), tuple(needles), tuple(offsets))

    def _questions(self, single: bool, size: int) -> list[Question]:
        rng = random.Random(f"{self.seed}/questions")
        pool = list(dict.fromkeys(needle.key for needle in self.needles))
        rng.shuffle(pool)
        everything = list(self.needles)
        wanted = self.task.queries * self._question_count
        if self.task.haystack == "needle" and wanted > len(pool):
            distractors = [self._distractor(i) for i in range(size)]
            everything += distractors
            # Drawn over the whole haystack, so that questions reach every depth.
            pool += [needle.key for needle in rng.sample(distractors, wanted - len(pool))]
        values: dict[str, list[str]] = {}
        for needle in everything:
            values.setdefault(needle.key, []).append(needle.value)
        asked = [pool[i : i + self.task.queries] for i in range(0, wanted, self.task.queries)]
        return [self._question(keys, values, single) for keys in asked]

    def _question(self, keys: list[str], values: dict[str, list[str]], single: bool) -> Question:
        names = {
            "types": self.task.value_type,
            "type": self.task.value_type.removesuffix("s"),
            "keys": in_words(keys),
        }
        wording = self.wording
        question = wording.question_single if single else wording.question
        prefix = wording.answer_prefix_single if single else wording.answer_prefix
        answers = tuple(value for key in keys for value in values[key])
        return Question(tuple(keys), question.format(**names), prefix.format(**names), answers)


def in_words(keys: list[str]) -> str:
    """A list as English text: ``a``, ``a and b``, ``a, b, and c``."""
    if len(keys) < 3:
        return " and ".join(keys)
    return ", ".join(keys[:-1]) + ", and " + keys[-1]
