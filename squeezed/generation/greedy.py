"""Greedy generation on a fixed context, for one user input or a batch, with measured budget and times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from squeezed.cache.accounting import GenerationStats, summarise
from squeezed.cache.conversation import FixedContextCache, make_cache
from squeezed.context.data import Context
from squeezed.generation.batch import Batch, UserInputs, left_padded
from squeezed.methods.base import Method
from squeezed.model import attention, families, fingerprint

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Generation:
    """The outcome of ``generate``.

    Attributes:
        sequences: new token ids ``[B, T]`` without the prompt. A row ends with the stop token if one came;
            shorter rows are filled up behind it with the padding token, or a stop token where there is none.
        lengths: new tokens of each row, stop token included.
        stats: measured KV budget and times.
    """

    sequences: torch.Tensor
    lengths: tuple[int, ...]
    stats: GenerationStats


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    ctx: Context,
    question_ids: UserInputs,
    *,
    method: Method,
    max_new_tokens: int = 32,
    stop_ids: Sequence[int] = (),
    min_new_tokens: int = 1,
    backend: str = "auto",
) -> Generation:
    """Answers one user input, or a batch of them, on a fixed context, greedily.

    The user input's prefill uses the method too, not only the decoding. All members of a batch share one
    index and one copy of the context's keys and values. For sampling and the like use ``model.generate`` with
    ``ctx.cache(method)``.

    Args:
        model: the model the context was prepared with.
        question_ids: one user input's token ids ``[L]`` or ``[1, L]``, or a list of several ``[L_i]``.
        method: which fixed rows are attended. max_new_tokens: at most that many tokens.
        stop_ids: tokens that end an answer besides the model's own. min_new_tokens: no stop before these.
        backend: of the kernels: ``auto``, or a name.

    Raises:
        ValueError: an empty user input, a number of tokens below 1, or a size the method cannot meet.
        IndexMismatchError: the context belongs to another model.
        UnsupportedModelError: inputs of different lengths for a model that takes no positions.
    """
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; expected at least 1")
    batch = left_padded(question_ids)
    fingerprint.require_model(model, ctx.model_fingerprint)
    if not bool(batch.real.all()):
        families.require_positions(model)
    attention.switch(model)
    cache = make_cache(ctx, method, backend=backend)
    stops = {*_stop_ids(model), *stop_ids}
    start = _now(model.device)
    token = _first_token(model, ctx, cache, batch)
    prefilled = _now(model.device)
    tokens = [token]
    lengths = torch.ones(len(token), dtype=torch.int64)
    running = ~_is_stop(token, stops if min_new_tokens <= 1 else set())
    places = (batch.real.sum(1, keepdim=True) + ctx.tokens).to(model.device)
    real = batch.real
    while len(tokens) < max_new_tokens and bool(running.any()):
        real = torch.cat([real, torch.ones(len(token), 1, dtype=torch.bool)], dim=1)
        cache.progress.active = running
        token = _step(model, ctx, cache, token, places, real)
        places = places + 1
        tokens.append(token)
        lengths += running
        running = running & ~_is_stop(token, stops if len(tokens) >= min_new_tokens else set())
    decoded = _now(model.device)
    steps = len(tokens) - 1
    stats = summarise(
        cache.reads,
        prefill_ms=1e3 * (prefilled - start),
        decode_ms=1e3 * (decoded - prefilled) / steps if steps else float("nan"),
    )
    return Generation(
        _filled(tokens, lengths, _fill_id(model, stops)), tuple(lengths.tolist()), stats
    )


def _first_token(
    model: PreTrainedModel, ctx: Context, cache: FixedContextCache, batch: Batch
) -> torch.Tensor:
    """Most likely first tokens ``[B, 1]`` after the user inputs."""
    places = (batch.real.cumsum(1) - 1).clamp(min=0) + ctx.tokens
    return _step(model, ctx, cache, batch.ids.to(model.device), places.to(model.device), batch.real)


def _step(
    model: PreTrainedModel,
    ctx: Context,
    cache: FixedContextCache,
    ids: torch.Tensor,
    places: torch.Tensor,
    real: torch.Tensor,
) -> torch.Tensor:
    """Most likely next tokens ``[B, 1]`` after feeding ``ids`` ``[B, L]`` at ``places``."""
    mask = None
    if not bool(real.all()):
        context = torch.ones(len(real), ctx.tokens, dtype=torch.bool)
        mask = torch.cat([context, real], dim=1).long().to(ids.device)
    output = model(
        input_ids=ids,
        position_ids=places,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return output.logits[:, -1:].argmax(-1)


def _is_stop(token: torch.Tensor, stops: set[int]) -> torch.Tensor:
    """Which of the tokens ``[B, 1]`` end their answer, boolean ``[B]`` on the CPU."""
    return torch.tensor([each in stops for each in token[:, 0].tolist()])


def _filled(tokens: list[torch.Tensor], lengths: torch.Tensor, fill: int) -> torch.Tensor:
    ids = torch.cat(tokens, dim=1).cpu()
    return ids.masked_fill(torch.arange(ids.shape[1]) >= lengths[:, None], fill)


def _stop_ids(model: PreTrainedModel) -> list[int]:
    eos = model.generation_config.eos_token_id if model.generation_config else None
    if eos is None:
        return []
    return list(eos) if isinstance(eos, list) else [int(eos)]


def _fill_id(model: PreTrainedModel, stops: set[int]) -> int:
    pad = model.generation_config.pad_token_id if model.generation_config else None
    return int(pad) if pad is not None else min(stops, default=0)


def _now(device: torch.device) -> float:
    """Wall-clock seconds, after the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
