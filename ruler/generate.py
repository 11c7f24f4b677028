"""Rows of a RULER task at a wanted length (DESIGN.md section 5, the row contract)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruler.plan import Plan, make_plan
from ruler.rows import Row
from ruler.sample import Sample
from ruler.tasks import Task

PROBE_UNITS = 8
MAX_STEPS = 64  # of a size search: far more than halving any size needs


class LengthError(ValueError):
    """The length cannot hold a sample. ``needed`` is what its smallest form takes, in tokens."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


def generate(
    task: str | Task,
    tokenizer: Any,
    length: int,
    samples: int,
    seed: int = 42,
    prompts: str = "suite",
    questions_per_context: int = 1,
    essays: str | Path | None = None,
) -> Iterator[Row]:
    """Rows of a task, ``questions_per_context`` for each of ``samples`` contexts, in order.

    Every sample is as long as fits: BOS (if the tokenizer has one) + context + longest user input +
    ``max_new_tokens`` take at most ``length`` tokens, and one more haystack unit is too many.

    Args:
        task: name of a standard task, or a task of ``ruler.tasks``.
        tokenizer: a tokenizer of transformers.
        length: tokens of a sample. samples: number of contexts. seed: of all random choices.
        prompts: name of the prompt set.
        questions_per_context: questions on each context; more keys are planted where it takes them,
            and the subtask's name then says so (``tasks.with_questions``).
        essays: ``.txt`` or ``.json`` corpus of the essay haystack. Without one the essay tasks use
            the noise haystack, and ``meta`` says so (``haystack``, ``haystack_standard``).

    Raises:
        ValueError, FileNotFoundError: at once, for settings that make no sense.
        LengthError: while iterating, for a length too short; it names one that is long enough.
    """
    plan = make_plan(task, tokenizer, length, samples, seed, prompts, questions_per_context, essays)
    return rows(plan)


def rows(plan: Plan) -> Iterator[Row]:
    """The rows of a plan, in order. Errors as in ``generate``."""
    for index in range(plan.samples):
        draw = plan.draw(index, plan.length)
        try:
            size = largest_fitting(
                lambda size, draw=draw: plan.used_by(draw.lay_out(size)),  # type: ignore[misc]
                draw.minimum_size(),
                plan.length,
            )
        except LengthError as error:
            shortest = shortest_length(plan, max(plan.length + 1, error.needed))
            raise LengthError(
                f"length {plan.length} is too short for {plan.task.name}: sample {index} needs "
                f"{error.needed} tokens ({plan.task.max_new_tokens} of them for the answer); the "
                f"shortest length found to hold all {plan.samples} samples is {shortest}",
                shortest,
            ) from None
        yield from _rows_of_sample(plan, index, draw.lay_out(size))


def largest_fitting(used_by: Callable[[int], int], minimum: int, budget: int) -> int:
    """The largest size whose ``used_by(size)`` is at most ``budget``, in at most MAX_STEPS steps.

    Guesses by the rate of growth seen so far and falls back to halving. The size that is returned
    was itself measured, so it fits even where ``used_by`` does not grow evenly.

    Raises:
        LengthError: the minimum size is already too long.
    """
    fits, used = minimum, used_by(minimum)
    if used > budget:
        raise LengthError(f"{used} tokens at the smallest size, {budget} wanted", used)
    first, too_long = used, None
    # A small first probe: a wrong idea of the rate must not cost a text of many times the budget.
    guess = minimum + PROBE_UNITS
    for step in range(MAX_STEPS):
        tokens = used_by(guess)
        rate = max((tokens - first) / (guess - minimum), 0.1)
        if tokens <= budget:
            fits, used = guess, tokens
        else:
            too_long = guess
        guess = fits + max(1, int((budget - used) / rate))
        if too_long is not None:
            if too_long - fits == 1:
                break
            # Every third step halves, so that a bad rate cannot make the search creep.
            guess = min(guess, too_long - 1) if step % 3 < 2 else (fits + too_long) // 2
    return fits


def shortest_length(plan: Plan, start: int) -> int:
    """The shortest length from ``start`` on found to hold all samples of a plan."""
    length = start
    while True:
        for index in range(plan.samples):
            draw = plan.draw(index, length)
            needed = plan.used_by(draw.lay_out(draw.minimum_size()))
            if needed > length:
                # Another length is another draw, so the need itself changes a little with it.
                length = needed
                break
        else:
            return length


def _rows_of_sample(plan: Plan, index: int, sample: Sample) -> Iterator[Row]:
    context_tokens = plan.tokens.count(sample.context)
    total = plan.used_by(sample)
    pieces = [
        (offset, offset + len(needle.text))
        for needle, offset in zip(sample.needles, sample.offsets, strict=True)
    ]
    spans = plan.tokens.spans(sample.context, pieces) if pieces else []
    places = {
        (needle.key, needle.value): span for needle, span in zip(sample.needles, spans, strict=True)
    }
    for number, question in enumerate(sample.questions):
        asked = [
            places[key, answer]
            for answer in question.answers
            for key in question.keys
            if (key, answer) in places
        ]
        yield Row(
            id=f"{plan.task.name}-{plan.length}-{index:05d}-q{number}",
            task="ruler",
            subtask=plan.task.name,
            context=sample.context,
            question=question.text,
            answer_prefix=question.answer_prefix,
            answers=list(question.answers),
            max_new_tokens=plan.task.max_new_tokens,
            meta={
                **plan.settings(),
                "tokenizer": plan.tokens.name,
                "sample": index,
                "question": number,
                "context_tokens": context_tokens,
                "user_tokens": plan.tokens.count(question.user_text),
                "total_tokens": total,
                "queried": list(question.keys),
                # Of each answer's needle, in the order of the answers: tokens [first, after last)
                # of the context (BOS not counted), and the share of the context before it.
                "positions": [list(span) for span in asked],
                "depths": [round(span[0] / context_tokens, 4) for span in asked],
            },
        )
