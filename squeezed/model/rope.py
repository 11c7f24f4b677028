"""RoPE that depends on the length of the forward pass: one length is held, or the case is refused by name.

Two of transformers' types rotate a key not by its position alone. ``longrope`` (Phi-3, Phi-4-mini, PhiMoE)
takes other factors in a pass longer than ``original_max_position_embeddings``. ``dynamic`` takes other ones
for every length beyond ``max_position_embeddings``, and remembers the longest that the process saw. A fixed
context's keys are rotated once, so all that is ever asked about it must lie on the same side as the context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from squeezed.errors import UnsupportedModelError

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig, PreTrainedModel

LONGROPE, DYNAMIC = "longrope", "dynamic"


@dataclass(frozen=True)
class Switch:
    """Where a RoPE changes its factors.

    Attributes:
        kind: ``longrope`` or ``dynamic``. tokens: passes of up to that many tokens share their factors.
    """

    kind: str
    tokens: int


def switch_of(config: PreTrainedConfig) -> Switch | None:
    """Where the RoPE of a language model changes its factors with the length; ``None``: it never does.

    Where layers have RoPEs of their own, the one that changes first.
    """
    parameters = getattr(config, "rope_parameters", None) or {}
    each = list(parameters.values()) if _by_layer(parameters) else [parameters]
    found = [switch for one in each if one and (switch := _switch(config, one)) is not None]
    return min(found, key=lambda switch: switch.tokens, default=None)


def _by_layer(parameters: dict[str, Any]) -> bool:
    return all(value is None or isinstance(value, dict) for value in parameters.values())


def _switch(config: PreTrainedConfig, parameters: dict[str, Any]) -> Switch | None:
    kind = parameters.get("rope_type") or ""
    if kind == LONGROPE:
        original = parameters.get("original_max_position_embeddings") or getattr(
            config, "original_max_position_embeddings", None
        )
        return Switch(LONGROPE, int(original or config.max_position_embeddings))
    if DYNAMIC in kind and not parameters.get("alpha"):  # with a fixed alpha it is static (HunYuan)
        # One less: at the length itself transformers keeps what earlier, longer passes left behind.
        return Switch(DYNAMIC, int(config.max_position_embeddings) - 1)
    return None


def require_one_length(config: PreTrainedConfig, context: int, whole: int) -> None:
    """Refuses a sequence whose single pass would rotate the fixed context's keys otherwise than they are.

    Args:
        config: of the language model. context: tokens of the fixed context. whole: tokens of the context, the
            user input and those generated tokens that are fed again.

    Raises:
        UnsupportedModelError: so it is; says the lengths and what to do.
    """
    switch = switch_of(config)
    if switch is None or whole <= switch.tokens:
        return
    name, last = config.model_type, switch.tokens
    if switch.kind == DYNAMIC:
        raise UnsupportedModelError(
            f"{name} has dynamic RoPE: beyond {last} tokens every length rotates all keys anew, so keys of a "
            f"fixed context cannot be kept, and {whole} tokens are asked for (the context has {context}); "
            f"use at most {last} tokens in all, or a RoPE that is the same at every length (linear, yarn)"
        )
    if context <= last:
        raise UnsupportedModelError(
            f"{name} has LongRoPE, which rotates all keys by other factors from {last + 1} tokens on: the "
            f"fixed context of {context} tokens is below that, but with the user input and new tokens it is "
            f"{whole}; use {whole - last} tokens less (a shorter context, input or answer), or a "
            f"context of more than {last} tokens"
        )


@contextmanager
def one_length(model: PreTrainedModel, tokens: int) -> Iterator[None]:
    """Inside, every forward pass rotates as one over ``tokens`` tokens does; chunks of a prefill need it.

    A rotary module decides by the largest position that it is given. So it is asked for one position more,
    the last of the whole pass, and its answer for that one is dropped (PyTorch's hooks, removed at the end).
    """
    with ExitStack() as stack:
        for module in model.modules():
            if LONGROPE in _types(module):
                stack.callback(
                    module.register_forward_pre_hook(_asking(tokens), with_kwargs=True).remove
                )
                stack.callback(module.register_forward_hook(_dropping).remove)
        yield


def _types(module: torch.nn.Module) -> tuple[str, ...]:
    """The RoPE types of a rotary module, by layer where they differ; of any other module, none."""
    kind = getattr(module, "rope_type", None)
    return (
        tuple(kind.values()) if isinstance(kind, dict) else (kind,) if isinstance(kind, str) else ()
    )


def _asking(tokens: int) -> Any:
    """A hook that puts the last of ``tokens`` positions behind those asked for."""

    def hook(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if "position_ids" in kwargs:
            return args, {**kwargs, "position_ids": _with_last(kwargs["position_ids"], tokens)}
        states, positions, *rest = args
        return (states, _with_last(positions, tokens), *rest), kwargs

    return hook


def _with_last(positions: torch.Tensor, tokens: int) -> torch.Tensor:
    last = positions.new_full((*positions.shape[:-1], 1), tokens - 1)
    return torch.cat([positions, last], dim=-1)


def _dropping(module: torch.nn.Module, args: Any, output: Any) -> Any:
    """A hook that takes the answer for the last position away: ``[..., L + 1, D]`` -> ``[..., L, D]``."""
    if isinstance(output, tuple):
        return tuple(each[..., :-1, :] for each in output)
    return output[..., :-1, :]
