"""Variable tracking: chains of assignments hidden in noise (RULER section 3.2)."""

import random
import string
from collections.abc import Callable

from rows.tokens import TokenCounter
from ruler.families.sample import Needle, Question, Sample
from ruler.prompts import PromptSet, VtWording
from ruler.tasks import VtTask

NAME_LENGTH = 5
# Noise blocks of the worked example. The original fills 500 tokens; this is less, so that short
# contexts have room for a haystack of their own.
DEMO_BLOCKS = 5


class VtDraw:
    """All random choices of one sample. A unit of its haystack is a noise block.

    The context begins with a worked example whose names and number differ from sample to sample.
    """

    def __init__(
        self,
        task: VtTask,
        prompts: PromptSet,
        seed: str,
        questions: int,
        demo_blocks: int = DEMO_BLOCKS,
    ) -> None:
        self.task, self.seed = task, seed
        self._wording, self._noise = prompts.vt, prompts.niah.noise
        self._question_count = questions
        self._demo_blocks = max(demo_blocks, task.hops + 1)  # each statement before its own
        rng = random.Random(seed)
        taken: set[str] = set()
        letters = self._wording.demo_letters or NAME_LENGTH
        self._demo = _chain(task.hops, self._wording, rng, taken, letters)
        self._chains = [
            _chain(task.hops, self._wording, rng, taken, NAME_LENGTH) for _ in range(task.chains)
        ]

    def minimum_size(self) -> int:
        """As many blocks as a chain has statements: each stands before a block of its own."""
        return self.task.hops + 1

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` noise blocks; the statements of a chain keep their order."""
        head = self._head()
        rng = random.Random(f"{self.seed}/places/{size}")
        lines = _lines(self._chains, size, self._noise, rng)
        context = head + "\n".join(text for text, _ in lines) + "\n"
        asked = self._chains[: self._question_count]
        needles, offsets, offset = [], [], len(head)
        for text, needle in lines:
            if needle is not None and any(needle in chain for chain in asked):
                needles.append(needle)
                offsets.append(offset)
            offset += len(text) + 1
        return Sample(context, self.questions(size), tuple(needles), tuple(offsets))

    def questions(self, size: int) -> tuple[Question, ...]:
        """A question for each of the first chains, whatever the size."""
        return tuple(self._question(chain) for chain in self._chains[: self._question_count])

    def tokens(self, size: int, counter: TokenCounter) -> int:
        """Tokens of the context of that size, added up from its parts."""
        statements = [f"{needle.text}\n" for chain in self._chains for needle in chain]
        planted = sum(counter.added_each(statements))
        noise = size * counter.added(f"{self._noise}\n")
        return counter.count(self._head()) + planted + noise

    def demo(self, answered: bool = True) -> str:
        """The worked example; ``answered``: with its answer."""
        rng = random.Random(f"{self.seed}/demo")
        lines = _lines([self._demo], self._demo_blocks, self._noise, rng)
        question = self._question(self._demo)
        answer = self._wording.answer.format(names=self._wording.joint.join(question.answers))
        texts = [text for text, _ in lines]
        asked = question.user_text + (answer if answered else "")
        return "\n".join([self._wording.instruction, *texts, asked])

    def _head(self) -> str:
        return f"{self.demo()}\n\n{self._wording.instruction}\n"

    def _question(self, chain: list[Needle]) -> Question:
        names = {"count": len(chain), "value": chain[0].key}
        return Question(
            keys=(chain[0].key,),
            text=self._wording.question.format(**names),
            answer_prefix=self._wording.answer_prefix.format(**names),
            answers=tuple(needle.value for needle in chain),
        )


def _chain(
    hops: int, wording: VtWording, rng: random.Random, taken: set[str], letters: int
) -> list[Needle]:
    """One statement per name. ``key`` is the chain's number and ``value`` the name it reaches."""
    number = _distinct(lambda: str(rng.randrange(10_000, 99_999)), taken)
    chain: list[Needle] = []
    source, statement = number, wording.statement
    for _ in range(hops + 1):
        name = _distinct(lambda: "".join(rng.choices(string.ascii_uppercase, k=letters)), taken)
        chain.append(Needle(number, name, statement.format(name=name, value=source)))
        source, statement = name, wording.statement_next or wording.statement
    return chain


def _lines(
    chains: list[list[Needle]], blocks: int, noise: str, rng: random.Random
) -> list[tuple[str, Needle | None]]:
    """``blocks`` lines of noise with the statements' lines before some of them."""
    planted: dict[int, list[Needle]] = {}
    for chain in chains:
        for place, needle in zip(sorted(rng.sample(range(blocks), len(chain))), chain, strict=True):
            planted.setdefault(place, []).append(needle)
    lines: list[tuple[str, Needle | None]] = []
    for block in range(blocks):
        lines += [(needle.text, needle) for needle in planted.get(block, [])]
        lines.append((noise, None))
    return lines


def _distinct(draw: Callable[[], str], taken: set[str]) -> str:
    """The first draw that is not in ``taken``, which grows by it."""
    while (value := draw()) in taken:
        pass
    taken.add(value)
    return value
