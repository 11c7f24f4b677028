"""The checked settings of a RULER data set."""

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ruler.essay import Essay
from ruler.families import draw_sample
from ruler.prompts import PromptSet, get_prompts
from ruler.sample import Draw, Sample
from ruler.tasks import NiahTask, Task, get_task, with_questions
from ruler.tokens import TokenCounter

# Part of every row: rows of two formats, or of two word lists, are not the same data.
GENERATOR = f"1/wonderwords-{version('wonderwords')}"
NOT_META = ("name", "max_new_tokens", "haystack")  # have places of their own in a row


@dataclass(frozen=True)
class Plan:
    """All settings of a data set, checked.

    Attributes:
        task: the task as asked for; it carries the name.
        laid_out: the same with the haystack that is used.
        length: tokens of BOS, context, longest user input and answer together.
        samples: contexts. questions: questions on each of them.
    """

    task: Task
    laid_out: Task
    tokens: TokenCounter
    prompts: PromptSet
    length: int
    samples: int
    seed: int
    questions: int
    essay: Essay | None

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
            essay=self.essay,
        )

    def used_by(self, sample: Sample) -> int:
        """Tokens that a sample takes: BOS, context, longest user input, answer."""
        user = max(self.tokens.count(question.user_text) for question in sample.questions)
        context = self.tokens.count(sample.context)
        return self.tokens.bos + context + user + self.task.max_new_tokens

    def settings(self) -> dict[str, Any]:
        """What decides the text of the rows, as it stands in every row's ``meta``."""
        haystack: dict[str, Any] = {}
        if isinstance(self.task, NiahTask) and isinstance(self.laid_out, NiahTask):
            haystack = {
                "haystack": self.laid_out.haystack,
                "haystack_standard": self.task.haystack,
            }
        parameters = asdict(self.task)
        return {
            "length": self.length,
            "seed": self.seed,
            "prompts": self.prompts.name,
            "questions_per_context": self.questions,
            **{name: parameters[name] for name in parameters if name not in NOT_META},
            **haystack,
            "essays": self.essay.fingerprint if self.essay else None,
            "tokenizer_fingerprint": self.tokens.fingerprint,
            "generator": GENERATOR,
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
) -> Plan:
    """Checks the settings of a data set; arguments and errors are those of ``generate``."""
    if isinstance(task, str):
        task = get_task(task)
    if samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1")
    if length < 1:
        raise ValueError(f"length is {length}; expected a positive number of tokens")
    wording = get_prompts(prompts)
    task = with_questions(task, questions_per_context)
    laid_out, essay = task, None
    if isinstance(task, NiahTask) and task.haystack == "essay":
        if essays is None:
            laid_out = replace(task, haystack="noise")
        else:
            essay = Essay.load(essays)
    return Plan(
        task=task,
        laid_out=laid_out,
        tokens=tokenizer if isinstance(tokenizer, TokenCounter) else TokenCounter(tokenizer),
        prompts=wording,
        length=length,
        samples=samples,
        seed=seed,
        questions=questions_per_context,
        essay=essay,
    )
