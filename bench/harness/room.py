"""What cannot be answered, told of all requests before the first one is."""

from collections.abc import Sequence
from typing import Any

from bench.config.errors import InputError
from bench.harness.cut import Prompt
from bench.harness.settings import Settings
from bench.models.shapes import shape_in
from bench.models.sizes import size_obstacle


def check(
    asked: Settings, config: Any, dtype: str, prompts: Sequence[Prompt], places: Sequence[int]
) -> None:
    """Checks that the method's size can be met on every fixed context.

    Args:
        config, dtype: of the model. places: how many first tokens of each prompt are fixed.

    Raises:
        InputError: it cannot on one of them; names the task and the document of the shortest.
    """
    try:
        shape = shape_in(config, dtype)
    except (AttributeError, ValueError, TypeError, KeyError):
        shape = None
    first = dict(zip(places, prompts, strict=True))
    for tokens in sorted(first):
        if why := size_obstacle(asked.method, asked.index, shape, tokens):
            raise InputError(f"{_named(first[tokens])}, a fixed context of {tokens} tokens: {why}")


def check_lengths(prompts: Sequence[Prompt], more: Sequence[int], room: int) -> None:
    """Checks that every prompt fits into the model, with what is fed or generated behind it.

    Args:
        more: tokens behind each prompt. room: tokens that the model takes.

    Raises:
        InputError: one does not, and the harness would cut off its beginning.
    """
    for each, behind in zip(prompts, more, strict=True):
        if len(each.ids) + behind > room:
            raise InputError(
                f"{_named(each)}: {len(each.ids)} tokens and {behind} behind them, and the model has room "
                f"for {room}; hf would cut the prompt's beginning, which is the fixed context. "
                "Give max_length=N, shorter prompts, or shorter answers"
            )


def _named(prompt: Prompt) -> str:
    return f"task {prompt.task}, document {prompt.document}"
