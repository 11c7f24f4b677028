"""Rows of a set at a wanted length."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from probes.fit import Laid, LengthError, fit
from probes.plan import Plan, make_plan
from probes.sample import Draw, Question, once
from probes.text.prose import prose
from rows.row import Row

TASK = "probes"
EMPTY_TOKENS = 256  # of a context without evidence: more than an observation window
SPARE_TOKENS = 8  # a model may need a few more tokens than the answer
PLACES = 64  # ranges of the context that ``meta`` names at most


def generate(
    subtask: str,
    tokenizer: Any,
    length: int,
    samples: int,
    questions_per_context: int = 20,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    empty: bool = False,
    chat: bool = False,
) -> Iterator[Row]:
    """Rows of a subtask, in order of contexts and their questions.

    BOS or chat template, context, longest user input and answer take at most ``length`` tokens, and one more
    line of filler would be too many.

    Args:
        subtask: a set (all its kinds of questions), or one kind, such as ``records_count``.
        tokenizer: a tokenizer of transformers. length: tokens of a row. samples: contexts.
        questions_per_context: of each kind; some kinds have fewer.
        seed: of all random choices. options: of the set, other than its own.
        empty: a short context of prose without evidence, to see what guessing gets.
        chat: the prompt is asked in the tokenizer's chat template, which then counts.

    Raises:
        ValueError: at once, for settings that make no sense.
        LengthError: while iterating, for a length too short; it names one that is long enough.
    """
    plan = make_plan(
        subtask, tokenizer, length, samples, questions_per_context, seed, options, empty, chat
    )
    return rows(plan)


def rows(plan: Plan) -> Iterator[Row]:
    """The rows of a plan, in order. Errors as in ``generate``."""
    for index in range(plan.samples):
        yield from sample_rows(plan, index)


def sample_rows(plan: Plan, index: int) -> list[Row]:
    """The rows of one context, which depend on no other."""
    draw = plan.draw(index)
    asked = in_turns(draw.questions, plan.subtask.options.get("turns", 1))
    rooms = answer_rooms(plan, draw.questions)
    # Of all kinds, not only of those that are asked, so that they share the context.
    users = [plan.tokens.user(each.text, each.answer_prefix) for each in asked]
    reserved = len(plan.tokens.frame) + max(
        user + rooms[each.kind] for user, each in zip(users, asked, strict=True)
    )
    try:
        laid = fit(draw, plan.tokens, plan.length - reserved)
    except LengthError as error:
        needed = error.needed + reserved
        raise LengthError(
            f"length {plan.length} is too short for {plan.subtask.set.name} with {plan.count} questions of "
            f"each kind: context {index} needs {needed} tokens; give more, or a smaller "
            "questions_per_context",
            needed,
        ) from None
    once(laid.text, [each.line.text for each in draw.planted if each.line.tags])
    if plan.empty:
        laid = empty_context(plan, draw)
    evidence = Evidence(laid)
    common = plan.settings()
    kinds = {each.name for each in plan.subtask.kinds}
    found = []
    for number, (question, user) in enumerate(zip(asked, users, strict=True)):
        if question.kind not in kinds:
            continue
        found.append(
            Row(
                id=f"{plan.label}-{plan.length}-{index:05d}-q{number:03d}",
                task=TASK,
                subtask=plan.label,
                context=laid.text,
                question=question.text,
                answer_prefix=question.answer_prefix,
                answers=list(question.answers),
                max_new_tokens=rooms[question.kind],
                meta={
                    **common,
                    "kind": question.kind,
                    "tokenizer": plan.tokens.name,
                    "sample": index,
                    "question": number,
                    "context_tokens": laid.tokens,
                    "user_tokens": user,
                    "total_tokens": laid.tokens + reserved,
                    "floor": question.floor,
                    "hops": question.hops,
                    "extra": dict(question.meta),
                    **evidence.of(question),
                },
            )
        )
    return found


def in_turns(questions: list[Question], turns: int) -> list[Question]:
    """The questions with up to ``turns - 1`` earlier ones of their kind before them, with gold answers."""
    if turns == 1:
        return questions
    found, earlier = [], dict[str, list[str]]()
    for each in questions:
        before = earlier.setdefault(each.kind, [])
        if len(before) == turns:
            before.clear()
        text = "".join(before) + each.text
        before.append(f"{each.text}{each.answer_prefix} {each.wished}\n")
        found.append(Question(**{**vars(each), "text": text}))
    return found


def answer_rooms(plan: Plan, questions: list[Question]) -> dict[str, int]:
    """Tokens to generate for each kind: the longest wished output and some more, a multiple of 8.

    One number for a kind, so that it does not tell how long an answer is.
    """
    found: dict[str, int] = {}
    for each in questions:
        tokens = plan.tokens.added(f" {each.wished}\n") + SPARE_TOKENS
        found[each.kind] = max(found.get(each.kind, 0), -(-tokens // 8) * 8)
    return found


def empty_context(plan: Plan, draw: Draw) -> Laid:
    """The head of a sample, and prose in place of its lines, which is no evidence of anything."""
    lines = prose(plan.subtask.set.name)
    text = draw.head
    while (tokens := plan.tokens.count(text)) < EMPTY_TOKENS:
        text += f"{next(lines)}\n"
    return Laid(text, [], [], [], tokens)


class Evidence:
    """Where a context holds what a question needs."""

    def __init__(self, laid: Laid) -> None:
        self._laid = laid
        self._tagged: dict[str, list[int]] = {}
        for number, line in enumerate(laid.lines):
            for tag in line.tags:
                self._tagged.setdefault(tag, []).append(number)
        self._before = list(itertools.accumulate(laid.costs, initial=0))

    def of(self, question: Question) -> dict[str, Any]:
        """For ``meta``: tokens that are needed, their share ``density`` of the context, character ranges
        ``spans`` (none where there are more than ``PLACES``), and ``depth``, where the last of it begins, as
        a share of the context; -1 if nothing is needed."""
        numbers = sorted({each for tag in question.needs for each in self._tagged.get(tag, ())})
        tokens = sum(self._laid.costs[number] for number in numbers)
        spans = self._spans(numbers)
        head = self._laid.tokens - self._before[-1]
        last = (head + self._before[numbers[-1]]) / self._laid.tokens if numbers else -1.0
        return {
            "evidence_tokens": tokens,
            "evidence_lines": len(numbers),
            "density": round(tokens / self._laid.tokens, 6),
            "depth": round(last, 4),
            "spans": spans if len(spans) <= PLACES else [],
        }

    def _spans(self, numbers: list[int]) -> list[list[int]]:
        """Character ranges [first, after last) of lines; neighbours are one range."""
        spans: list[list[int]] = []
        for number in numbers:
            start = self._laid.starts[number]
            end = start + len(self._laid.lines[number].text)
            if spans and spans[-1][1] + 1 == start:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        return spans
