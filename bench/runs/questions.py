"""Rows of a task as token ids, grouped by their fixed context."""

import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from bench import models
from bench.config.errors import InputError
from bench.config.spec import ModelSpec, TaskSpec
from bench.models import checkpoint
from bench.tasks import get_task
from bench.tasks.base import Rules
from rows import turn
from rows.frame import Frame, make_frame
from rows.row import Row

# What stands before a question that is asked without its context: an empty one cannot be indexed.
CLOSED = "There is no document.\n"


@dataclass(frozen=True)
class Example:
    """One question. ``question_ids``: LongTensor [1, L], the user input with the answer prefix."""

    row: Row
    rules: Rules
    question_ids: torch.Tensor


@dataclass(frozen=True)
class Context:
    """A fixed context and its questions.

    Attributes:
        ids: LongTensor [1, N], with BOS or the chat template's opening in front.
        key: short hash of the ids; records of one context share it.
        cut: tokens that the task left out of the context's text.
        dated: the chat template wrote a date, which is always ``rows.turn.DATE``.
    """

    ids: torch.Tensor
    key: str
    cut: int
    examples: tuple[Example, ...]
    dated: bool = False


@functools.lru_cache(maxsize=1)
def loaded_model(spec: ModelSpec) -> Any:
    """The model; the runs of one sweep share it.

    Raises:
        InputError: it is one that cannot be used. OSError: its files cannot be read.
    """
    try:
        model, _ = models.load_model(
            spec.name,
            path=spec.path,
            dtype=spec.dtype,
            device=spec.device,
            spread=spec.spread,
            trust_remote_code=spec.trust_remote_code,
            revision=spec.revision,
        )
    except (ValueError, ImportError) as error:
        raise InputError(f"model {spec.source}: {error}") from error
    return model


def tokenizer_of(model: ModelSpec) -> PreTrainedTokenizerBase:
    """The model's tokenizer, without the model; its chat template has what the settings give it.

    Raises:
        InputError: there is none.
    """
    tokenizer = loaded_tokenizer(model.source, model.trust_remote_code, model.revision)
    turn.give(tokenizer, model.turn)
    return tokenizer


def loaded_tokenizer(
    source: str, trust_remote_code: bool = False, revision: str | None = None
) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint folder or Hugging Face id, without its model.

    Raises:
        InputError: there is none.
    """
    return _loaded_tokenizer(source, trust_remote_code, revision)


@functools.lru_cache(maxsize=1)
def _loaded_tokenizer(
    source: str, trust_remote_code: bool, revision: str | None
) -> PreTrainedTokenizerBase:
    try:
        return models.load_tokenizer(source, trust_remote_code, revision)
    except (OSError, ValueError, ImportError) as error:
        hint = checkpoint.hint(error)
        raise InputError(f"no tokenizer can be loaded from {source}: {error}{hint}") from error


@functools.lru_cache(maxsize=4)
def contexts(model: ModelSpec, task: TaskSpec) -> tuple[Context, ...]:
    """All contexts of a task in the order of their first row; runs on the same rows share them.

    Raises:
        InputError: the task's settings do not work with the model's tokenizer.
    """
    tokenizer = tokenizer_of(model)
    by_context: dict[str, list[Row]] = {}
    for row in get_task(task.name).rows(task, tokenizer):
        by_context.setdefault(CLOSED if task.closed_book else row.context, []).append(row)
    return tuple(_context(task, text, members, tokenizer) for text, members in by_context.items())


@functools.cache
def first_length(model: ModelSpec, task: TaskSpec) -> int:
    """Tokens of a task's first fixed context; its rows alone are made.

    Raises:
        InputError: as ``contexts``.
    """
    tokenizer = tokenizer_of(model)
    rows = iter(get_task(task.name).rows(task, tokenizer))
    first = next(rows)
    members = [first, *itertools.takewhile(lambda row: row.context == first.context, rows)]
    text = CLOSED if task.closed_book else first.context
    return _context(task, text, members, tokenizer).ids.numel()


def fingerprint(groups: tuple[Context, ...]) -> str:
    """Fingerprint of a task's rows as they are asked: ids, tokens of context and question, answers."""
    content = hashlib.sha256()
    for group in groups:
        content.update(f"{group.key}\0".encode())
        for example in group.examples:
            row = [example.row.id, example.question_ids.flatten().tolist(), example.row.answers]
            content.update(json.dumps(row).encode())
    return content.hexdigest()[:16]


def prompt_date(groups: tuple[Context, ...]) -> dict[str, str]:
    """For provenance: the date that stands in the prompts, if any does."""
    date = turn.DATE.date().isoformat()
    return {"prompt_date": date} if any(group.dated for group in groups) else {}


@functools.cache
def check(model: ModelSpec, task: TaskSpec) -> None:
    """Finds what does not fit the model's tokenizer before the model is loaded.

    Raises:
        InputError: as ``contexts``.
    """
    get_task(task.name).check(task, tokenizer_of(model))


def _context(
    spec: TaskSpec, text: str, members: list[Row], tokenizer: PreTrainedTokenizerBase
) -> Context:
    task = get_task(spec.name)
    rules = [task.rules(spec, row, tokenizer) for row in members]
    frame = _frame(spec, tokenizer, rules)
    examples = tuple(
        Example(
            row,
            rule,
            torch.tensor([frame.user_ids(tokenizer, row.question, row.answer_prefix, text)]),
        )
        for row, rule in zip(members, rules, strict=True)
    )
    longest = max(each.question_ids.numel() + each.rules.max_new_tokens for each in examples)
    head, whole = frame.fixed_ids(tokenizer, text)
    fixed, cut = task.cut(spec, whole, len(head) + longest)
    ids = torch.tensor([[*head, *fixed]])
    key = hashlib.sha256(ids.numpy().tobytes()).hexdigest()[:16]
    dated = frame.wrapping is not None and frame.wrapping.dated
    return Context(ids, key, cut, examples, dated)


def _frame(spec: TaskSpec, tokenizer: PreTrainedTokenizerBase, rules: list[Rules]) -> Frame:
    if len({each.chat for each in rules}) > 1:
        raise InputError(f"task {spec.label}: rows of one context disagree about the chat template")
    try:
        return make_frame(tokenizer, rules[0].chat)
    except ValueError as error:
        raise InputError(f"task {spec.label}: {error}") from error
