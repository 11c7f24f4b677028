"""Greedy generation on a fixed context, for one user input or a batch, with measured budget and times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from squeezed.cache.accounting import GenerationStats, summarise
from squeezed.cache.conversation import FixedContextCache, make_cache
from squeezed.context.data import Context
from squeezed.context.ids import require_known
from squeezed.generation.batch import Batch, UserInputs, left_padded
from squeezed.generation.checkpoint import Checkpoint
from squeezed.generation.lengths import by_length, in_order, together
from squeezed.methods.base import Method
from squeezed.model import attention, families, fingerprint, finite, positions, rope

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
        applied: the checkpoint's generation settings that were applied, by name (a repetition penalty, say).
        ignored: those that change greedy answers too and could not be applied (beams, say).
    """

    sequences: torch.Tensor
    lengths: tuple[int, ...]
    stats: GenerationStats
    applied: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


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

    The user input's prefill uses the method too, not only the decoding. What the checkpoint's own generation
    settings do to logits is done as by ``model.generate(do_sample=False)``. All members of a batch share one
    index and one copy of the context's keys and values. For sampling and the like use ``model.generate`` with
    ``ctx.cache(method)``.

    Padding would change the state of recurrent layers. On models that have some, user inputs of different
    lengths are answered one length after the other, and times are added up.

    Args:
        model: the model the context was prepared with.
        question_ids: one user input's token ids ``[L]`` or ``[1, L]``, or a list of several ``[L_i]``.
        method: which fixed rows are attended. max_new_tokens: at most that many tokens.
        stop_ids: tokens that end an answer besides the model's own. min_new_tokens: no stop before these.
        backend: of the kernels: ``auto``, or a name.

    Raises:
        ValueError: an empty user input, a number of tokens below 1, a size the method cannot meet, or more
            tokens than the model has positions for.
        IndexMismatchError: the context belongs to another model.
        NonFiniteError: the model's logits are not finite; names step and layer.
        UnsupportedModelError: inputs of different lengths for a model that takes no positions, or a length at
            which the model's RoPE rotates the context's keys otherwise.
    """
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; expected at least 1")
    batch = left_padded(question_ids)
    require_known(batch.ids, model.config, "question_ids")
    fingerprint.require_model(model, ctx.model_fingerprint)
    if not bool(batch.real.all()):
        if ctx.state_bytes:
            return _by_length(
                batch,
                _fill_id(model, {*_stop_ids(model), *stop_ids}),
                lambda ids: generate(
                    model,
                    ctx,
                    ids,
                    method=method,
                    max_new_tokens=max_new_tokens,
                    stop_ids=stop_ids,
                    min_new_tokens=min_new_tokens,
                    backend=backend,
                ),
            )
        families.require_positions(model)
    whole = ctx.tokens + batch.ids.shape[1] + max_new_tokens - 1  # the last token is not fed again
    positions.require_within(model.config, whole)
    rope.require_one_length(families.text_config(model), ctx.tokens, whole)
    attention.switch(model)
    checkpoint = Checkpoint(model, ctx.ids, batch, max_new_tokens)
    cache = make_cache(ctx, method, backend=backend)
    stops = {*_stop_ids(model), *stop_ids}
    start = _now(model.device)
    start_at = ctx.tokens + positions.first_position(model.config)
    cache.progress.asking = True
    logits = _first_logits(model, ctx, cache, batch, start_at)
    cache.progress.asking = False
    tokens: list[torch.Tensor] = []
    _require_finite(model, ctx, method, backend, batch, tokens, logits)
    token = checkpoint.choose(logits)
    prefilled = _now(model.device)
    tokens.append(token)
    lengths = torch.ones(len(token), dtype=torch.int64)
    running = ~_is_stop(token, stops if min_new_tokens <= 1 else set())
    places = (batch.real.sum(1, keepdim=True) + start_at).to(model.device)
    real = batch.real
    while len(tokens) < max_new_tokens and bool(running.any()):
        real = torch.cat([real, torch.ones(len(token), 1, dtype=torch.bool)], dim=1)
        cache.progress.active = running
        logits = _logits(model, ctx, cache, token, places, real)
        _require_finite(model, ctx, method, backend, batch, tokens, logits)
        token = checkpoint.choose(logits)
        places = places + 1
        tokens.append(token)
        lengths += running
        running = running & ~_is_stop(token, stops if len(tokens) >= min_new_tokens else set())
    decoded = _now(model.device)
    steps = len(tokens) - 1
    fed = batch.ids.shape[1] if ctx.restarts else 1
    stats = summarise(
        cache.reads,
        fed,
        prefill_ms=1e3 * (prefilled - start),
        decode_ms=1e3 * (decoded - prefilled) / steps if steps else float("nan"),
    )
    return Generation(
        _filled(tokens, lengths, _fill_id(model, stops)),
        tuple(lengths.tolist()),
        stats,
        checkpoint.applied,
        checkpoint.ignored,
    )


def _by_length(
    batch: Batch, fill: int, answer: Callable[[Sequence[torch.Tensor]], Generation]
) -> Generation:
    """Answers the user inputs of one length after those of the other; the outcome is as of one batch."""
    places = by_length(batch)
    parts = [answer([batch.ids[place, batch.real[place]] for place in part]) for part in places]
    sequences = [part.sequences for part in parts]
    lengths = [torch.tensor(part.lengths)[:, None] for part in parts]
    steps = [each.shape[1] - 1 for each in sequences]
    return Generation(
        in_order(sequences, places, fill),
        tuple(in_order(lengths, places, 0)[:, 0].tolist()),
        together([part.stats for part in parts], places, steps),
        parts[0].applied,
        parts[0].ignored,
    )


def _first_logits(
    model: PreTrainedModel, ctx: Context, cache: FixedContextCache, batch: Batch, start_at: int
) -> torch.Tensor:
    """Logits ``[B, V]`` of the first tokens after the user inputs, which stand from ``start_at`` on."""
    places = ((batch.real.cumsum(1) - 1).clamp(min=0) + start_at).to(model.device)
    ids, real = batch.ids.to(model.device), batch.real
    if ctx.restarts:  # all but the last, one by one
        for place in range(real.shape[1] - 1):
            here = slice(place, place + 1)
            _logits(model, ctx, cache, ids[:, here], places[:, here], real[:, : place + 1])
        ids, places = ids[:, -1:], places[:, -1:]
    return _logits(model, ctx, cache, ids, places, real)


def _logits(
    model: PreTrainedModel,
    ctx: Context,
    cache: FixedContextCache,
    ids: torch.Tensor,
    places: torch.Tensor,
    real: torch.Tensor,
) -> torch.Tensor:
    """Logits ``[B, V]`` of the next tokens after feeding ``ids`` ``[B, L]`` at ``places``."""
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
    logits: torch.Tensor = output.logits[:, -1]
    return logits


def _require_finite(
    model: PreTrainedModel,
    ctx: Context,
    method: Method,
    backend: str,
    batch: Batch,
    tokens: Sequence[torch.Tensor],
    logits: torch.Tensor,
) -> None:
    """Raises NonFiniteError, which names step and layer, unless the logits after ``tokens`` are finite.

    To find the layer, all passes are done once more.
    """
    if finite.finite_logits(logits):
        return
    cache = make_cache(ctx, method, backend=backend)
    start_at = ctx.tokens + positions.first_position(model.config)
    places = (batch.real.sum(1, keepdim=True) + start_at).to(model.device)
    real = batch.real
    with finite.first_broken_layer(model) as found:
        _first_logits(model, ctx, cache, batch, start_at)
        for number, token in enumerate(tokens):
            real = torch.cat([real, torch.ones(len(token), 1, dtype=torch.bool)], dim=1)
            _logits(model, ctx, cache, token, places + number, real)
    raise finite.non_finite_logits(model, len(tokens), found[0] if found else None)


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
