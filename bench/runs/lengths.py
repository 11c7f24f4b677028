"""Prompts and what a model has positions for: refused, or let through with a mark in each record."""

from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from bench.config.errors import InputError
from bench.config.spec import ModelSpec, RunSpec
from bench.models.checkpoint import config_of
from bench.runs.questions import Context
from squeezed.model.positions import PositionLimit, position_limit


def check_lengths(plan: Sequence[RunSpec]) -> None:
    """Checks the lengths that tasks state against what the models' configurations here tell.

    Raises:
        InputError: a model has no positions for so many tokens.
    """
    for model, length in dict.fromkeys((spec.model, spec.task.length) for spec in plan):
        if length is not None:
            limit = _limit(model, local_only=True)
            _require(model, limit, length, "task.length is")


def check_rows(spec: RunSpec, groups: Sequence[Context]) -> None:
    """Checks the real lengths of a run's rows, answers included, before its model is loaded.

    Says in one line if they are longer than the model is made for.

    Raises:
        InputError: it has no positions for so many tokens.
    """
    longest = max(
        group.ids.numel() + each.question_ids.numel() + each.rules.max_new_tokens
        for group in groups
        for each in group.examples
    )
    limit = _limit(spec.model, local_only=False)
    _require(spec.model, limit, longest, "the longest row with its answer has")
    if limit is not None and longest > limit.tokens:
        tqdm.write(
            f"warning: {spec.title}: rows of up to {longest} tokens, and {spec.model.label} is made for "
            f"{limit.tokens}; what is beyond is extrapolation, and records say so (extrapolated)"
        )


def mark(model: Any, tokens: int) -> dict[str, bool]:
    """For a record: whether prompt and answer went beyond what the model is made for; nothing if not."""
    limit = position_limit(model.config)
    return {"extrapolated": True} if limit is not None and tokens > limit.tokens else {}


def _limit(model: ModelSpec, *, local_only: bool) -> PositionLimit | None:
    try:
        config = config_of(model.source, model.trust_remote_code, model.revision, local_only)
    except ValueError as error:
        raise InputError(f"model {model.source}: {error}") from error
    return None if config is None else position_limit(config)


def _require(model: ModelSpec, limit: PositionLimit | None, tokens: int, what: str) -> None:
    if limit is not None and limit.hard and tokens > limit.tokens:
        raise InputError(
            f"{what} {tokens} tokens, and {model.label} has positions for {limit.tokens}; set a "
            f"task.length or task.max_length of {limit.tokens} or less, or take another model"
        )
