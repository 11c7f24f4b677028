"""Rows of a RULER task at a wanted length (DESIGN.md section 5, the row contract)."""

import contextlib
import gc
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from rows.row import Row
from ruler.families.sample import Sample
from ruler.fit import LengthError, fit, largest_fitting, longest
from ruler.plan import Plan, make_plan
from ruler.stepwise import fit_stepwise
from ruler.tasks import Task

__all__ = ["LengthError", "generate", "largest_fitting", "rows"]


def generate(
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
    workers: int = 1,
) -> Iterator[Row]:
    """Rows of a task, ``questions_per_context`` for each of ``samples`` contexts, in order.

    Every sample is as long as fits: what stands around the prompt (BOS, chat template) + context +
    longest user input + ``max_new_tokens`` take at most ``length`` tokens, and one more haystack
    unit is too many.

    Args:
        task: name of a standard task, or a task of ``ruler.tasks``.
        tokenizer: a tokenizer of transformers.
        length: tokens of a sample. samples: number of contexts. seed: of all random choices.
        prompts: ``suite``, ``official``, or a local copy of the original's files
            (``official_prompts.load``).
        questions_per_context: questions on each context; more keys are planted where it takes them,
            and the subtask's name then says so (``tasks.with_questions``).
        essays: ``.txt`` or ``.json`` corpus of the essay haystack, or ``download``. Without one the
            essay tasks use the noise haystack, and ``meta`` says so (``haystack``,
            ``haystack_standard``).
        parameters: of the task, other than the standard ones; its name then says so
            (``tasks.with_parameters``).
        squad, hotpotqa: local copies of the data sets; they are downloaded otherwise.
        chat: the prompt is asked in the tokenizer's chat template, which then counts.
        compat: the original's distributions where they differ (``plan.Plan``).
        workers: processes; the rows do not depend on it.

    Raises:
        ValueError, FileNotFoundError: at once, for settings that make no sense.
        LengthError: while iterating, for a length too short; it names one that is long enough.
    """
    plan = make_plan(
        task,
        tokenizer,
        length,
        samples,
        seed=seed,
        prompts=prompts,
        questions_per_context=questions_per_context,
        essays=essays,
        parameters=parameters or {},
        squad=squad,
        hotpotqa=hotpotqa,
        chat=chat,
        compat=compat,
    )
    return rows(plan, workers)


def rows(plan: Plan, workers: int = 1) -> Iterator[Row]:
    """The rows of a plan, in order, made by ``workers`` processes. Errors as in ``generate``."""
    if workers == 1 or plan.samples == 1:
        for index in range(plan.samples):
            yield from sample_rows(plan, index)
        return
    if plan.compat:
        _ = plan.steps  # found once, and carried to the workers with the plan
    # Not fork: the tokenizer's threads do not survive one.
    context = multiprocessing.get_context("spawn")
    workers = min(workers, plan.samples)
    with _no_threads(), ProcessPoolExecutor(workers, context, _start, (plan,)) as pool:
        try:
            for made in pool.map(_work, range(plan.samples)):
                yield from made
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def sample_rows(plan: Plan, index: int) -> list[Row]:
    """The rows of one sample, which depend on no other sample."""
    draw = plan.draw(index, plan.length)
    answer_room = plan.answer_room(draw.questions(draw.minimum_size()))
    try:
        while True:
            room = plan.length - plan.reserved(answer_room)
            if plan.compat:
                sample, tokens = fit_stepwise(draw, plan.tokens, room, *plan.steps)
            else:
                sample, tokens = fit(draw, plan.tokens, room)
            # A larger haystack of needles has other questions.
            if (needed := plan.answer_room(sample.questions)) <= answer_room:
                break
            answer_room = needed
    except LengthError as error:
        needed = error.needed + plan.reserved(answer_room)
        shortest = shortest_length(plan, max(plan.length + 1, needed))
        raise LengthError(
            f"length {plan.length} is too short for {plan.task.name}: sample {index} needs "
            f"{needed} tokens ({answer_room} of them for the answer); the "
            f"shortest length found to hold all {plan.samples} samples is {shortest}",
            shortest,
        ) from None
    return list(_rows(plan, index, sample, tokens, answer_room))


def shortest_length(plan: Plan, start: int) -> int:
    """The shortest length from ``start`` on found to hold all samples of a plan."""
    length = start
    while True:
        for index in range(plan.samples):
            draw = plan.draw(index, length)
            size = draw.minimum_size()
            context = plan.tokens.count(draw.lay_out(size).context)
            reserved = plan.reserved(plan.answer_room(draw.questions(size)))
            needed = reserved + context + longest(draw, size, plan.tokens)
            if needed > length:
                # Another length is another draw, so the need itself changes a little with it.
                length = needed
                break
        else:
            return length


def _rows(
    plan: Plan, index: int, sample: Sample, context_tokens: int, answer_room: int
) -> Iterator[Row]:
    user_tokens = [
        plan.tokens.user(question.text, question.answer_prefix) for question in sample.questions
    ]
    pieces = [
        (offset, offset + len(needle.text))
        for needle, offset in zip(sample.needles, sample.offsets, strict=True)
    ]
    spans = plan.tokens.spans(sample.context, pieces) if pieces else []
    places = {
        (needle.key, needle.value): span for needle, span in zip(sample.needles, spans, strict=True)
    }
    settings = plan.settings()
    for number, question in enumerate(sample.questions):
        # Needles by answer; then documents, which hold the answer somewhere.
        wanted = [(key, answer) for answer in question.answers for key in question.keys]
        wanted += [(key, "") for key in question.keys]
        asked = [places[each] for each in wanted if each in places]
        yield Row(
            id=f"{plan.task.name}-{plan.length}-{index:05d}-q{number}",
            task="ruler",
            subtask=plan.task.name,
            context=sample.context,
            question=question.text,
            answer_prefix=question.answer_prefix,
            answers=list(question.answers),
            max_new_tokens=answer_room,
            meta={
                **settings,
                "tokenizer": plan.tokens.name,
                "sample": index,
                "question": number,
                "context_tokens": context_tokens,
                "user_tokens": user_tokens[number],
                "total_tokens": plan.reserved(answer_room) + context_tokens + max(user_tokens),
                "queried": list(question.keys),
                # Of each answer's needle, in the order of the answers: tokens [first, after last)
                # of the context (BOS not counted), and the share of the context before it.
                "positions": [list(span) for span in asked],
                "depths": [round(span[0] / context_tokens, 4) for span in asked],
            },
        )


_plan: Plan | None = None  # of this worker process


def _start(plan: Plan) -> None:
    global _plan
    _plan = plan
    gc.freeze()  # what the imports left stays; looking through it would take a fourth of the time


def _work(index: int) -> list[Row]:
    assert _plan is not None
    return sample_rows(_plan, index)


@contextlib.contextmanager
def _no_threads() -> Iterator[None]:
    """Worker processes share out the cores themselves."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before
