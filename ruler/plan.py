"""The checked settings of a RULER data set."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rows.tokens import TokenCounter
from ruler import stepwise
from ruler.families.choose import Material, draw_sample
from ruler.families.code import Code
from ruler.families.cwe import check_common
from ruler.families.fwe import check_words
from ruler.families.sample import Draw, Question
from ruler.families.vt import VtDraw
from ruler.fit import largest_fitting
from ruler.given import find_documents, find_prompts, find_text, pin_of
from ruler.prompts import PromptSet
from ruler.tasks import (
    CweTask,
    FweTask,
    NiahTask,
    QaTask,
    Task,
    VtTask,
    get_task,
    says_more,
    with_parameters,
    with_questions,
)

# Part of every row: rows of two formats, or of two word lists, are not the same data.
GENERATOR = f"1/wonderwords-{version('wonderwords')}"
CODE_PROBE = "def f(x):\n    if x:\n        return [\n            1,\n\tx]\n\n\nclass A:\n"
NOT_META = ("name", "max_new_tokens", "haystack")  # have places of their own in a row
DEMO_TOKENS = 500  # of the original's worked example of variable tracking, without its answer
SPARE_TOKENS = 8  # a model may need a few more tokens than the answer


def generator(prompts: str, compat: bool) -> str:
    """The version of what makes the rows.

    Args:
        prompts: name of the prompt set. compat: as in ``Plan``.
    """
    # The worked examples of others' wording, and compat's lengths, were not the original's in version 1.
    return GENERATOR if prompts == "suite" and not compat else f"2{GENERATOR.removeprefix('1')}"


@dataclass(frozen=True)
class Plan:
    """All settings of a data set, checked.

    Attributes:
        task: the task as asked for; it carries the name.
        laid_out: the same with the haystack that is used.
        length: tokens of everything: BOS or chat template, context, longest user input, answer.
        samples: contexts. questions: questions on each of them.
        essays: what stands in for the essays, as the settings name it.
        says_more: parameters were changed by which answers get longer, so the task's room for them may grow.
        compat: as the original where it differs, for comparisons with its data: places in the text
            come from the seed alone, so that they are the same in all samples of one size (of the
            words to count, and of the documents, the answer's among them); questions are taken in
            the file's order; all ten paragraphs of a HotpotQA question are kept; words may hold
            blanks and hyphens; the worked example of variable tracking fills 500 tokens; and sizes are
            found in the original's steps (``ruler.stepwise``), which leave samples shorter.
    """

    task: Task
    laid_out: Task
    tokens: TokenCounter
    prompts: PromptSet
    length: int
    samples: int
    seed: int
    questions: int
    compat: bool = False
    material: Material = field(default_factory=Material)
    essays: str | None = None
    says_more: bool = False

    def answer_room(self, questions: Sequence[Question]) -> int:
        """Tokens reserved for the answer to any of the questions: the task's, or as many as a full one takes.

        A multiple of 8, so that it does not tell how long an answer is.
        """
        room = self.task.max_new_tokens
        if not self.says_more:
            return room
        for question in questions:
            # A numbered list with commas is as long as answers usually get.
            listed = ", ".join(f"{i}. {each}" for i, each in enumerate(question.answers, start=1))
            room = max(room, -(-(self.tokens.added(f" {listed}\n") + SPARE_TOKENS) // 8) * 8)
        return room

    def reserved(self, answer_room: int) -> int:
        """Tokens of what is neither context nor user input: BOS or chat template, and answer."""
        return len(self.tokens.frame) + answer_room

    def seed_of(self, index: int, length: int) -> str:
        """The seed of one sample, which depends neither on other samples nor on the tokenizer."""
        return f"{self.seed}/{self.task.name}/{length}/{index}"

    def draw(self, index: int, length: int) -> Draw:
        """The random choices of sample ``index`` at ``length`` tokens."""
        return draw_sample(
            self.laid_out,
            self.prompts,
            self.seed_of(index, length),
            questions=self.questions,
            length=length,
            index=index,
            material=self.material,
        )

    @functools.cached_property
    def steps(self) -> tuple[int, int]:
        """With ``compat``: the size that every sample starts from, and the step to shorten it by."""
        laid_out = self.laid_out
        haystack = laid_out.haystack if isinstance(laid_out, NiahTask) else None
        step = stepwise.step_of(laid_out, haystack, self.length)

        def draw(size: int) -> Draw:
            return draw_sample(
                laid_out,
                self.prompts,
                f"{self.seed}/{self.task.name}/{self.length}/{stepwise.PROBE}/{size}",
                questions=self.questions,
                length=self.length,
                material=self.material,
            )

        room = self.length - self.reserved(self.task.max_new_tokens)
        return stepwise.common_size(laid_out, draw, self.tokens, room, step), step

    def settings(self) -> dict[str, Any]:
        """What decides the text of the rows, as it stands in every row's ``meta``."""
        haystack: dict[str, Any] = {}
        if isinstance(self.task, NiahTask) and isinstance(self.laid_out, NiahTask):
            haystack = {
                "haystack": self.laid_out.haystack,
                "haystack_standard": self.task.haystack,
            }
        elif isinstance(self.task, QaTask) and self.task.text:
            haystack = {"haystack": self.task.haystack, "haystack_standard": self.task.haystack}
        parameters = asdict(self.task)
        text, qa = self.material.text, self.material.qa
        return {
            "length": self.length,
            "seed": self.seed,
            "prompts": self.prompts.name,
            "questions_per_context": self.questions,
            **{name: parameters[name] for name in parameters if name not in NOT_META},
            **haystack,
            "essays": text.fingerprint if text else None,
            **({"documents": qa.fingerprint} if qa else {}),
            **({"text": pin} if (pin := pin_of(self.task, self.essays)) else {}),
            **({"room": "of the answers"} if self.says_more else {}),
            **({"chat": True} if self.tokens.frame.chat else {}),
            **({"compat": True} if self.compat else {}),
            "tokenizer_fingerprint": self.tokens.fingerprint,
            "generator": generator(self.prompts.name, self.compat),
        }


def make_plan(
    task: str | Task,
    tokenizer: Any,
    length: int,
    samples: int,
    seed: int = 42,
    prompts: str = "suite",
    questions_per_context: int = 1,
    essays: str | Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    squad: str | Path | None = None,
    hotpotqa: str | Path | None = None,
    chat: bool = False,
    compat: bool = False,
) -> Plan:
    """Checks the settings of a data set; arguments and errors are those of ``generate``."""
    if isinstance(task, str):
        task = get_task(task)
    if samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1")
    if length < 1:
        raise ValueError(f"length is {length}; expected a positive number of tokens")
    wording = find_prompts(prompts)
    standard = task
    task = with_questions(with_parameters(standard, parameters or {}), questions_per_context)
    if isinstance(task, CweTask):
        check_common(task, length)
    if isinstance(task, FweTask):
        check_words(task, length)
    text = find_text(task, essays)
    laid_out = task
    if isinstance(task, NiahTask) and task.haystack == "essay" and text is None:
        laid_out = replace(task, haystack="noise")
    qa = find_documents(task, squad, hotpotqa, compat, seed)
    counter = tokenizer if isinstance(tokenizer, TokenCounter) else TokenCounter(tokenizer, chat)
    if isinstance(text, Code):
        counter = counter.that_counts(CODE_PROBE)
    if isinstance(task, VtTask):
        next_one = wording.vt.statement_next or wording.vt.statement
        counter = counter.that_counts(f"{next_one.format(name='ABCDE', value='FGHIJ')}\n" * 2)
    material = Material(
        text=text,
        turned=isinstance(task, NiahTask) and task.text is not None,
        qa=qa,
        order=str(seed) if compat else None,
        raw_words=compat,
        items_seed=None if compat else f"{seed}/{task.name}/items",
    )
    if compat and isinstance(task, VtTask):
        blocks = _demo_blocks(task, wording, counter)
        material = replace(material, demo_blocks=blocks)
    if qa is not None:
        material.items(samples - 1, questions_per_context)  # whether there are enough
    return Plan(
        task=task,
        laid_out=laid_out,
        tokens=counter,
        prompts=wording,
        length=length,
        samples=samples,
        seed=seed,
        questions=questions_per_context,
        compat=compat,
        material=material,
        essays=None if essays is None else str(essays),
        says_more=says_more(standard, task),
    )


def _demo_blocks(task: VtTask, prompts: PromptSet, counter: TokenCounter) -> int:
    """Noise blocks of the original's worked example: as many as fit, or as few as a chain needs."""

    def tokens(blocks: int) -> int:
        return counter.count(VtDraw(task, prompts, "demo", 1, blocks).demo(answered=False))

    fewest = task.hops + 1
    return fewest if tokens(fewest) > DEMO_TOKENS else largest_fitting(tokens, fewest, DEMO_TOKENS)
