"""A task's template, cut once into fixed part and user part, then filled.

The template is split, not the finished prompt, and each part is filled once: braces in a context
are text, and whatever stands in a context cannot move the border.
"""

import string
from dataclasses import dataclass

from longbench.errors import LongBenchError
from longbench.tasks import Labels, Task

PAPER, PREFIX = "paper", "prefix"
SPLITS = (PAPER, PREFIX)


@dataclass(frozen=True)
class Parts:
    """A filled template; ``context`` is the fixed part, the rest is the user part."""

    context: str
    question: str
    answer_prefix: str


@dataclass(frozen=True)
class Template:
    """A split template.

    The prompt is, in this order::

        before + CONTEXT + between | lead + INPUT + after + answer_prefix

    Attributes:
        has_input: whether there is a place for the input.
        input_labels: where the input itself ends with its answer prefix, what that may be.
    """

    before: str
    between: str
    lead: str
    has_input: bool
    after: str
    answer_prefix: str
    input_labels: tuple[str, ...] = ()

    def fill(self, context: str, given: str) -> Parts:
        """The parts for one record. ``given``: its input, not used where there is no place for it."""
        question = self.lead + (given if self.has_input else "") + self.after
        prefix = self.answer_prefix
        for label in self.input_labels:
            if question.endswith(label):
                question, prefix = question.removesuffix(label), label
                break
        return Parts(self.before + context + self.between, question, prefix)


def split_template(text: str, task: Task, split: str = PAPER) -> Template:
    """Cuts a task's template, given in the official form with ``{context}`` and ``{input}``.

    Args:
        split: ``paper``: the question's label belongs to the fixed part, as in the Squeezed
            Attention paper, and all of the rest is the question. ``prefix``: the label belongs to
            the question, and the answer's label is an answer prefix of its own.

    Raises:
        LongBenchError: no such split, or the template lacks what the task's labels name.
    """
    if split not in SPLITS:
        raise LongBenchError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    before, middle, after = _three(text, task)
    fixed, lead = _border(middle, task, split)
    if not task.labels.has_input:
        lead, after = "", lead  # one constant text, which ends with the answer's label
    answer = _answer_label(after, task)
    prefix = answer if split == PREFIX else ""
    in_input = task.labels.answer if task.labels.answer_in_input and split == PREFIX else ()
    return Template(
        before, fixed, lead, task.labels.has_input, after.removesuffix(prefix), prefix, in_input
    )


def _three(text: str, task: Task) -> tuple[str, str, str]:
    """The text before the context, between context and input, and after the input."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise LongBenchError(
            f"the template of {task.name} is not in the official form: {error}"
        ) from error
    fields = [field for _, field, _, _ in pieces if field is not None]
    wanted = ["context", "input"] if task.labels.has_input else ["context"]
    plain = all(not spec and not conversion for _, _, spec, conversion in pieces)
    if fields != wanted or not plain:
        seen = ", ".join("{" + field + "}" for field in fields) or "none"
        names = " and then ".join("{" + name + "}" for name in wanted)
        raise LongBenchError(
            f"the template of {task.name} has the places {seen}; expected {names}, each once"
        )
    texts = [""]
    for literal, field, _, _ in pieces:
        texts[-1] += literal
        if field is not None:
            texts.append("")
    before, middle = texts[:2]
    return before, middle, texts[2] if task.labels.has_input else ""


def _border(middle: str, task: Task, split: str) -> tuple[str, str]:
    """The text behind the context: what of it is fixed, and what belongs to the user part."""
    labels: Labels = task.labels
    if labels.question:
        label = _ending(middle, labels.question)
        if label is None:
            raise LongBenchError(
                f"the template of {task.name} has {middle[-20:]!r} before the input; expected "
                f"{_any_of(labels.question)}"
            )
        return (middle, "") if split == PAPER else (middle.removesuffix(label), label)
    if labels.input_follows:
        return middle, ""
    rest = middle.lstrip()
    return middle[: len(middle) - len(rest)], rest


def _answer_label(after: str, task: Task) -> str:
    labels = task.labels
    if not labels.answer or labels.answer_in_input:
        return ""
    label = _ending(after, labels.answer)
    if label is None:
        raise LongBenchError(
            f"the template of {task.name} ends with {after[-20:]!r}; expected "
            f"{_any_of(labels.answer)}"
        )
    return label


def _ending(text: str, labels: tuple[str, ...]) -> str | None:
    return next((label for label in labels if text.endswith(label)), None)


def _any_of(labels: tuple[str, ...]) -> str:
    return " or ".join(map(repr, labels))
