"""Rows of a task as token ids, grouped by their fixed context."""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from bench import models
from bench.errors import InputError
from bench.spec import ModelSpec, TaskSpec
from ruler.generate import LengthError, generate
from ruler.rows import Row


@dataclass(frozen=True)
class Example:
    """One question. ``question_ids``: LongTensor [1, L], the user input with the answer prefix."""

    row: Row
    question_ids: torch.Tensor


@dataclass(frozen=True)
class Context:
    """A fixed context and its questions.

    Attributes:
        ids: LongTensor [1, N], with the BOS id in front where the tokenizer has one.
        key: short hash of the ids; records of one context share it.
    """

    ids: torch.Tensor
    key: str
    examples: tuple[Example, ...]


@functools.lru_cache(maxsize=1)
def loaded_model(spec: ModelSpec) -> Any:
    """The model; the runs of one sweep share it."""
    model, _ = models.load_model(spec.name, path=spec.path, dtype=spec.dtype, device=spec.device)
    return model


@functools.lru_cache(maxsize=1)
def loaded_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint folder or Hugging Face id, without its model.

    Raises:
        InputError: there is none.
    """
    try:
        return AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise InputError(f"no tokenizer can be loaded from {source}: {error}") from error


@functools.lru_cache(maxsize=4)
def contexts(model: ModelSpec, task: TaskSpec) -> tuple[Context, ...]:
    """All contexts of a task in the order of their first row; runs on the same rows share them.

    Raises:
        InputError: a row does not fit into the task's length.
    """
    tokenizer = loaded_tokenizer(model.source)
    by_context: dict[str, list[Row]] = {}
    for row in rows(model, task):
        by_context.setdefault(row.context, []).append(row)
    return tuple(_context(text, members, tokenizer) for text, members in by_context.items())


def rows(model: ModelSpec, task: TaskSpec) -> Iterator[Row]:
    """The task's rows for the model's tokenizer; errors as in ``contexts``."""
    try:
        yield from generate(
            task.subtask,
            loaded_tokenizer(model.source),
            task.length,
            task.samples,
            seed=task.seed,
            prompts=task.prompts,
            questions_per_context=task.questions_per_context,
            essays=task.essays,
        )
    except LengthError as error:
        raise InputError(f"task.length: {error}") from error


@functools.cache
def check_length(model: ModelSpec, task: TaskSpec) -> None:
    """Lays out the first row, so that a length too short is found before the model is loaded.

    Raises:
        InputError: as ``contexts``.
    """
    next(rows(model, task))


def _context(text: str, members: list[Row], tokenizer: PreTrainedTokenizerBase) -> Context:
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    ids = torch.tensor([bos + _encode(tokenizer, text)])
    examples = tuple(
        Example(row, torch.tensor([_encode(tokenizer, row.question + row.answer_prefix)]))
        for row in members
    )
    key = hashlib.sha256(ids.numpy().tobytes()).hexdigest()[:16]
    return Context(ids, key, examples)


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    # The two parts are encoded apart and joined as ids: no token may span their border.
    return list(tokenizer.encode(text, add_special_tokens=False))
