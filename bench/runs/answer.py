"""Answers to the questions of one context, each with everything that its record says."""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

import squeezed
from bench.config.errors import ImpossibleError, InputError
from bench.config.method_settings import build_method
from bench.config.spec import RunSpec
from bench.records import provenance
from bench.runs.contexts import Prepared
from bench.runs.lengths import mark
from bench.runs.questions import Context, Example
from bench.tasks import get_task


@dataclass(frozen=True)
class Asking:
    """Everything that the answers of one run share."""

    spec: RunSpec
    model: Any
    tokenizer: PreTrainedTokenizerBase
    method: squeezed.Method

    @classmethod
    def of(cls, spec: RunSpec, model: Any, tokenizer: PreTrainedTokenizerBase) -> "Asking":
        """The run's own method on a model that is loaded."""
        return cls(spec, model, tokenizer, build_method(spec.method.name, spec.method.parameters))


def scored(spec: RunSpec, group: Context) -> tuple[Example, ...]:
    """The questions of a context that are answered and scored: all but those to calibrate on."""
    return group.examples[spec.method.calibration_inputs :]


def calibrated(asking: Asking, group: Context, prepared: Prepared) -> Prepared:
    """The context with thresholds calibrated as the run says."""
    method = asking.spec.method
    if pieces := method.calibration_pieces:
        # A part of preparing the context: nothing of it waits for a question.
        start = time.perf_counter()
        context = prepared.context.calibrate_on_itself(asking.model, pieces)
        return _taken(dataclasses.replace(prepared, context=context), start)
    if not method.calibration_inputs:
        return prepared
    inputs = [each.question_ids[0] for each in group.examples[: method.calibration_inputs]]
    context = prepared.context.calibrate(asking.model, inputs)
    return dataclasses.replace(prepared, context=context)


def ready(asking: Asking, prepared: Prepared) -> Prepared:
    """The context with all that the method works out of it before any question: a static choice, pages, ...

    The engine keeps that with the context. Its time is added to the context's, as no question pays for it.

    Raises:
        ImpossibleError, InputError: as ``answer``.
    """
    start = time.perf_counter()
    with _refusals(asking.spec, "cannot use the method on this context"):
        asking.method.bind(prepared.context, asking.spec.backend)
    return _taken(prepared, start)


def _taken(prepared: Prepared, start: float) -> Prepared:
    """The context with the time since ``start`` added to that of its preparation."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    took = 1000 * (time.perf_counter() - start)
    return dataclasses.replace(
        prepared, prepare_ms=prepared.prepare_ms + took, method_ms=prepared.method_ms + took
    )


def batches(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """Questions to answer together: neighbours with the same rules, at most ``size`` of them."""
    for _, alike in groupby(examples, key=lambda each: each.rules):
        members = list(alike)
        for start in range(0, len(members), size):
            yield members[start : start + size]


def answer(
    asking: Asking, group: Context, prepared: Prepared, batch: list[Example]
) -> list[dict[str, Any]]:
    """The records of questions that are answered together.

    Raises:
        ImpossibleError: the asked size cannot be met on this context.
        InputError: the method cannot be used on it as asked.
    """
    rules = batch[0].rules
    with _refusals(asking.spec, f"cannot answer {batch[0].row.id}"):
        out = squeezed.generate(
            asking.model,
            prepared.context,
            [each.question_ids[0] for each in batch],
            method=asking.method,
            max_new_tokens=rules.max_new_tokens,
            min_new_tokens=rules.min_new_tokens,
            stop_ids=rules.stop_ids,
            backend=asking.spec.backend,
        )
    return [
        _record(asking, group, prepared, example, out, place, len(batch))
        for place, example in enumerate(batch)
    ]


@contextmanager
def _refusals(spec: RunSpec, what: str) -> Iterator[None]:
    """The engine's refusals as errors of a run; ``what`` could not be done."""
    try:
        yield
    except squeezed.BudgetError as error:
        raise ImpossibleError(f"{spec.title}: {error}") from error
    except ValueError as error:
        raise InputError(f"{spec.title}: {what}: {error}") from error


def _record(
    asking: Asking,
    group: Context,
    prepared: Prepared,
    example: Example,
    out: squeezed.Generation,
    place: int,
    batch: int,
) -> dict[str, Any]:
    row, stats = example.row, out.stats
    new_ids = out.sequences[place, : out.lengths[place]]
    new_ids = new_ids[: -1 if int(new_ids[-1]) in example.rules.stop_ids else None]
    prediction = asking.tokenizer.decode(new_ids, skip_special_tokens=True)
    task = get_task(asking.spec.task.name)
    metrics = task.score(asking.spec.task, row, prediction)
    return {
        "id": row.id,
        "context": group.key,
        "prediction": prediction,
        "answers": row.answers,
        "score": metrics["score"],
        "metrics": metrics,
        "kv_budget": stats.kv_budgets[place],
        "lookup_budget": stats.lookup_budget,
        "answer_budget": _budget(stats.answer_budgets[place]),
        "prefill_ms": _number(stats.prefill_ms),
        "decode_ms_per_token": _number(stats.decode_ms_per_token),
        "batch": batch,
        "new_tokens": len(new_ids),
        "context_tokens": group.ids.numel(),
        "cut_tokens": group.cut,
        "question_tokens": example.question_ids.numel(),
        "chat": example.rules.chat,
        "index_bytes": prepared.context.index_bytes,
        "prepare_ms": round(prepared.prepare_ms, 1),
        "dense_ms": round(prepared.dense_ms, 1),
        "method_ms": round(prepared.method_ms, 1),
        "index_cached": prepared.cached,
        "meta": {key: row.meta[key] for key in task.meta_kept if key in row.meta},
        "threads": torch.get_num_threads(),
        "backend": asking.spec.backend,
        "commit": provenance.commit(),
        "versions": dict(provenance.versions()),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **mark(asking.model, group.ids.numel() + example.question_ids.numel() + len(new_ids)),
        **of_checkpoint(out),
    }


def of_checkpoint(out: squeezed.Generation) -> dict[str, list[str]]:
    """For a record: settings of the checkpoint that were applied, and that could not be; nothing if none."""
    found = {"checkpoint_applied": list(out.applied), "checkpoint_ignored": list(out.ignored)}
    return {name: names for name, names in found.items() if names}


def _budget(value: float) -> float | None:
    """A budget; None where no token's pass was counted."""
    return value if math.isfinite(value) else None


def _number(value: float) -> float | None:
    """A time in ms with three digits; None where there was nothing to time."""
    return round(value, 3) if math.isfinite(value) else None
