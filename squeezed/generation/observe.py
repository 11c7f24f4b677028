"""Thresholds from sample user inputs: what scores look like in use, in place of the observation window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch

from squeezed.context.data import Context
from squeezed.generation.watch import input_passes, watch
from squeezed.methods.full import Full
from squeezed.model.fingerprint import require_model

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

C = TypeVar("C", bound=Context)


def calibrate_on_inputs(
    context: C, model: PreTrainedModel, inputs: Sequence[torch.Tensor], new_tokens: int = 16
) -> C:
    """The same context with thresholds calibrated on sample user inputs instead of the window.

    Each input is answered with full attention; its queries and those of the generated tokens say what
    scores look like in use, for user inputs and for single tokens apart.

    Args:
        model: the context's model. inputs: token ids ``[L]`` each. new_tokens: generated for each.

    Raises:
        ValueError: no input. IndexMismatchError: the context belongs to another model.
    """
    if not inputs:
        raise ValueError("inputs is empty; give at least one sample user input to calibrate on")
    require_model(model, context.model_fingerprint)
    samples = observe(model, context, inputs, new_tokens)
    return replace(context, samples=samples, calibrated_on="inputs")


def own_pieces(ids: torch.Tensor, count: int, length: int = 25) -> list[torch.Tensor]:
    """Sample user inputs that a document gives itself: pieces of it, evenly spaced from its beginning on.

    A model that reads a piece again looks for where it stood, as it looks for what a question is about.

    Args:
        ids: token ids of the document ``[N]``. count: of the pieces. length: tokens of each, of a shorter
            document all.

    Raises:
        ValueError: fewer than one piece.
    """
    if count < 1:
        raise ValueError(f"{count} pieces of the document; expected at least 1")
    length = min(length, len(ids))
    starts = [number * (len(ids) - length) // count for number in range(count)]
    return [ids[start : start + length] for start in starts]


def observe(
    model: PreTrainedModel,
    context: Context,
    inputs: Sequence[torch.Tensor],
    new_tokens: int,
) -> tuple[tuple[tuple[torch.Tensor, torch.Tensor], ...], ...]:
    """Queries of user inputs answered with full attention, as ``Context.samples`` holds them."""
    by_input = [watch(model, context, each, Full(), new_tokens) for each in inputs]
    layers = []
    for number in range(len(context.layers)):
        samples = []
        for asked, watched in zip(inputs, by_input, strict=True):
            queries = [query[0] for query, _ in watched[number]]
            fed = input_passes(context, asked)
            first, rest = torch.cat(queries[:fed], dim=1), queries[fed:]
            tokens = torch.cat(rest, dim=1) if rest else first[:, -1:]
            samples.append((first, tokens))
        layers.append(tuple(samples))
    return tuple(layers)
