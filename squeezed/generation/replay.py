"""A replay: the model reads the context a second time behind itself, and each key's use is noted.

What a model attends to while it repeats a text is what it needs of that text, whatever is asked later (KVzip,
arXiv 2505.23416). The context is repeated in chunks, each as if it were a user input with full attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch
from squeezed_kernels import capped, causal_mask

from squeezed.cache.conversation import make_cache
from squeezed.cache.fixed import FixedContextLayer
from squeezed.context.data import Context
from squeezed.errors import UnsupportedModelError
from squeezed.generation.watch import Watched
from squeezed.methods.full import Full
from squeezed.model import attention, positions, rope
from squeezed.model.families import text_config
from squeezed.model.states import widened
from squeezed.model.statistics import REPLAY_ATTENTION

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

CHUNK = 2000  # tokens that are repeated at once
LEAD = 8  # tokens before a chunk that are repeated with it, so that the model knows where it is
SINKS = 4  # first keys that every score is compared with
QUERY_BLOCK = 256  # replayed tokens whose weights are held at once

C = TypeVar("C", bound=Context)


@torch.inference_mode()
def with_replay(context: C, model: PreTrainedModel) -> C:
    """The context with the statistic ``replay_attention`` in every layer. Takes about two prefills.

    Raises:
        ValueError: the model has not positions for context and chunk. UnsupportedModelError: its RoPE
            depends on the length, or it forgets its state between passes.
    """
    scores = [
        torch.zeros(layer.heads, layer.clustered, device=layer.device) for layer in context.layers
    ]
    require_room(model, context.tokens)
    attention.switch(model)
    for start, stop in _chunks(context.tokens):
        repeated = context.ids[max(0, start - LEAD) : stop]
        for layer, found in zip(scores, _read(context, model, repeated, start, stop), strict=True):
            layer.copy_(layer.maximum(found))
    layers = tuple(
        replace(layer, statistics=_sorted({**layer.statistics, REPLAY_ATTENTION: found}))
        for layer, found in zip(context.layers, scores, strict=True)
    )
    return replace(context, layers=layers).with_derived(context.derived)


def require_room(model: PreTrainedModel, tokens: int) -> None:
    """Refuses a context of so many tokens that the model cannot repeat.

    Raises:
        ValueError: the model has not positions for context and chunk. UnsupportedModelError: its RoPE
            depends on the length.
    """
    most = tokens + max(stop - max(0, start - LEAD) for start, stop in _chunks(tokens))
    positions.require_within(model.config, most)
    rope.require_one_length(text_config(model), tokens, most)


def _chunks(tokens: int) -> list[tuple[int, int]]:
    """Start and stop of each chunk."""
    return [(start, min(start + CHUNK, tokens)) for start in range(0, tokens, CHUNK)]


def _sorted(statistics: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(sorted(statistics.items()))


def _read(
    context: Context, model: PreTrainedModel, repeated: torch.Tensor, start: int, stop: int
) -> list[torch.Tensor]:
    """Scores of the chunk's keys in every layer, ``[H, M]``, 0 for all others; ``repeated``: ids ``[R]``."""
    watched = Watched(Full())
    cache = make_cache(context, watched)
    first = context.tokens + positions.first_position(model.config)
    places = torch.arange(first, first + len(repeated), device=model.device)
    step = 1 if context.restarts else len(repeated)
    for part in range(0, len(repeated), step):
        model.base_model(
            input_ids=repeated[None, part : part + step].to(model.device),
            position_ids=places[None, part : part + step],
            past_key_values=cache,
            use_cache=True,
        )
    own = [layer for layer in cache.layers if isinstance(layer, FixedContextLayer)]
    found = []
    for layer, selector, mine in zip(context.layers, watched.layers, own, strict=True):
        query = torch.cat([query[0] for query, _ in selector.steps], dim=1)
        assert mine.keys is not None
        if mine.keys.shape[1] != layer.heads or mine.keys.shape[3] > layer.keys.shape[2]:
            raise UnsupportedModelError(
                f"{type(model).__name__} caches its keys in another form than it attends to, which the "
                f"statistic {REPLAY_ATTENTION} cannot be made of"
            )
        repeated_keys = widened(mine.keys[0], layer.keys.shape[2]).to(layer.keys.dtype)
        places_of_chunk = (layer.positions >= start) & (layer.positions < stop)
        others = (layer.positions < SINKS) & ~places_of_chunk
        scores = torch.zeros(layer.heads, layer.clustered, device=layer.device)
        window = slice(
            layer.clustered + max(0, start - layer.clustered), stop
        )  # rows of the window
        for head in range(layer.heads):
            keys = layer.keys[head].to(query.device)
            rows = places_of_chunk[head].nonzero()[:, 0]
            beside = torch.cat(
                [
                    keys[: layer.clustered][others[head]],
                    keys[window] if stop > layer.clustered else keys[:0],
                    repeated_keys[head].to(keys.device),
                ]
            )
            own_query = query.unflatten(0, (layer.heads, -1))[head]  # [G, R', D]
            scores[head, rows] = _highest(
                own_query, keys[rows], beside, mine.keys.shape[2], layer.scale, layer.softcap
            )
        found.append(scores)
    return found


def _highest(
    query: torch.Tensor,
    keys: torch.Tensor,
    beside: torch.Tensor,
    replayed: int,
    scale: float,
    softcap: float | None,
) -> torch.Tensor:
    """The largest weight that each key gets from any query, ``[K]``.

    Args:
        query: ``[G, R, D]``, of the replayed tokens (R is a multiple of them where layers share keys).
        keys: to score ``[K, D]``. beside: others in the same softmax ``[O, D]``, of which the last
            ``replayed`` are the replayed tokens' own, seen causally.
    """
    highest = torch.zeros(len(keys), device=query.device)
    for own in query.float().split(replayed, dim=1):
        causal = causal_mask(replayed, replayed, query.device).view(replayed, replayed)
        causal = torch.nn.functional.pad(causal, (len(beside) - replayed, 0), value=True)
        for part in range(0, replayed, QUERY_BLOCK):
            here = slice(part, part + QUERY_BLOCK)
            logits = capped(scale * own[:, here] @ keys.float().T, softcap)  # [G, Q, K]
            rest = capped(scale * own[:, here] @ beside.float().T, softcap)
            rest = rest.masked_fill(~causal[here], -torch.inf)
            total = torch.cat([logits, rest], dim=-1).logsumexp(-1, keepdim=True)
            highest = highest.maximum((logits - total).exp().amax((0, 1)))
    return highest
