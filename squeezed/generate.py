"""Greedy generation on a fixed context, with measured budget and times."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from squeezed import attention, fingerprint
from squeezed.accounting import GenerationStats, mean_budget
from squeezed.cache import FixedContextCache
from squeezed.context import FixedContext
from squeezed.errors import IndexMismatchError
from squeezed.methods import Method


@dataclass(frozen=True)
class Generation:
    """The outcome of ``generate``.

    Attributes:
        sequences: new token ids ``[1, T]`` without the prompt; ends with the stop token if one came.
        stats: measured KV budget and times.
    """

    sequences: torch.Tensor
    stats: GenerationStats


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    ctx: FixedContext,
    question_ids: torch.Tensor | Sequence[int],
    *,
    method: Method,
    max_new_tokens: int = 32,
) -> Generation:
    """Answers a user input on a fixed context, greedily.

    The user input's prefill uses the method too, not only the decoding. For sampling and the like use
    ``model.generate`` with ``ctx.cache(method)``.

    Args:
        model: the model the context was prepared with.
        question_ids: the user input's token ids ``[L]`` or ``[1, L]``, L >= 1.
        method: which fixed rows are attended. max_new_tokens: at most that many tokens.

    Raises:
        ValueError: an empty or batched user input, or ``max_new_tokens`` below 1.
        IndexMismatchError: the context belongs to another model.
    """
    question = _check_question(question_ids)
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; expected at least 1")
    if fingerprint.of_model(model) != ctx.model_fingerprint:
        raise IndexMismatchError(
            "the fixed context was prepared with another model than the one given"
        )
    attention.switch(model)
    cache = ctx.cache(method)
    stops = _stop_ids(model)
    start = _now(model.device)
    token = _next_token(model, cache, question.to(model.device))
    prefilled = _now(model.device)
    tokens = [token]
    while len(tokens) < max_new_tokens and int(token) not in stops:
        token = _next_token(model, cache, token)
        tokens.append(token)
    decoded = _now(model.device)
    budget, per_layer = mean_budget(cache.reads)
    per_token = (decoded - prefilled) / (len(tokens) - 1) if len(tokens) > 1 else float("nan")
    stats = GenerationStats(budget, per_layer, 1e3 * (prefilled - start), 1e3 * per_token)
    return Generation(torch.cat(tokens, dim=1).cpu(), stats)


def _next_token(
    model: PreTrainedModel, cache: FixedContextCache, ids: torch.Tensor
) -> torch.Tensor:
    """Most likely next token ``[1, 1]`` after feeding ``ids`` ``[1, L]``."""
    output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return output.logits[:, -1:].argmax(-1)


def _check_question(question_ids: torch.Tensor | Sequence[int]) -> torch.Tensor:
    ids = torch.as_tensor(question_ids, dtype=torch.int64)
    ids = ids[None] if ids.ndim == 1 else ids
    if ids.ndim != 2 or ids.shape[0] != 1 or ids.shape[1] < 1:
        raise ValueError(
            f"question_ids has shape {tuple(ids.shape)}; expected [L] or [1, L] with L >= 1"
        )
    return ids


def _stop_ids(model: PreTrainedModel) -> set[int]:
    eos = model.generation_config.eos_token_id if model.generation_config else None
    if eos is None:
        return set()
    return set(eos) if isinstance(eos, list) else {int(eos)}


def _now(device: torch.device) -> float:
    """Wall-clock seconds, after the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
