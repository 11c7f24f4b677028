"""Layers with a recurrent state: linear attention, state-space models (SSM), short convolutions.

Such a layer keeps no key of a token, but a state of one size, which each token changes. After the prefill of
a fixed context the state is kept; each conversation goes on from a copy of it. transformers keeps the states
of one layer in a cache layer (``LinearAttentionLayer``): inputs of a convolution, and recurrent states.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from transformers.cache_utils import Cache, DynamicCache, LinearAttentionCacheLayerMixin

from squeezed.errors import UnsupportedModelError
from squeezed.model.layers import attends
from squeezed.model.states import RecurrentLayer

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig, PreTrainedModel


def has_states(config: PreTrainedConfig) -> bool:
    """Whether a layer keeps a recurrent state."""
    return any(layer.stateful for layer in attends(config))


def refusals_of_class(
    model_class: type[PreTrainedModel], config: PreTrainedConfig
) -> Iterator[str]:
    """The reasons why a model's states cannot be kept, each as the end of a sentence about its family."""
    if has_states(config):
        own = _own_cache(model_class)
        if own is not None:
            yield f"keeps its recurrent states in a cache of a class of its own ({own})"
    elif getattr(model_class, "_is_stateful", False):
        yield "keeps a recurrent state outside transformers' cache layers, where it cannot be copied"


def _own_cache(model_class: type[PreTrainedModel]) -> str | None:
    """The name of the cache class that the model's own module defines."""
    module = model_class.__module__
    found = (
        each
        for each in vars(sys.modules[module]).values()
        if isinstance(each, type) and issubclass(each, Cache)
    )
    return next((each.__name__ for each in found if each.__module__ == module), None)


def state_of(layer: Any, keys: bool, restarts: bool) -> RecurrentLayer:
    """A copy of what a cache layer keeps after the prefill of one sequence.

    Args:
        layer: a cache layer of a batch of one; one without states gives an empty result.
        keys: it keeps keys as well. restarts: as in ``RecurrentLayer``.
    """
    if not isinstance(layer, LinearAttentionCacheLayerMixin):
        return RecurrentLayer({}, {}, keys, restarts)
    conv, recurrent = (
        {i: state[0].clone() for i, state in states.items() if state is not None}
        for states in (layer.conv_states, layer.recurrent_states)
    )
    return RecurrentLayer(conv, recurrent, keys, restarts)


def positions(model: PreTrainedModel, start: int, stop: int) -> dict[str, torch.Tensor]:
    """The argument that says where the tokens of a pass stand, for models that take it.

    Some forget to count what is in the cache when it is left out (Bamba in transformers 5.23).
    """
    if not _takes_positions(model.base_model):
        return {}
    return {"position_ids": torch.arange(start, stop, device=model.device)[None]}


def _takes_positions(module: torch.nn.Module) -> bool:
    parameters = inspect.signature(module.forward).parameters
    wrapper = all(
        each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters.values()
    )
    return wrapper or "position_ids" in parameters


def passes(total: int, chunk: int, stateful: bool = True) -> list[tuple[int, int]]:
    """Where the passes of a prefill in chunks begin and end.

    Recurrent layers compute a single token by other code, which differs from that for many in some models
    (Nemotron-H and Zamba2 in transformers 5.23 bound the time step only there). So no chunk of theirs is of
    one token, unless ``chunk`` is.
    """
    ends = [*range(chunk, total, chunk), total]
    if stateful and len(ends) > 1 and ends[-1] - ends[-2] == 1 and chunk > 2:
        ends[-2] -= 1
    return list(zip([0, *ends], ends, strict=False))


def restarts(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    """Whether a pass of several tokens forgets the recurrent state that the tokens before it left.

    Tried, not looked up: two passes go on from the same tokens, one of them with another state in the first
    layer that has one. If that state comes out the same to the last bit, and the model's output does not
    change, the state was not read. Some models do that (Jamba and Zamba in transformers 5.23): theirs is
    right in a first pass and in passes of one token only.

    Args:
        ids: token ids ``[N]``; the first few are used.
    """
    few = ids[:6].repeat(6)[None, :6].to(model.device)
    first, second = few[:, :4], few[:, 4:]
    cache = DynamicCache(config=model.config)
    _pass(model, first, cache, 0)
    number = next((n for n, layer in enumerate(cache.layers) if _recurrent(layer)), None)
    if number is None:
        return False
    other = copy.deepcopy(cache)
    for state in _recurrent(other.layers[number]).values():
        state.add_(1 + 10 * state.abs().max())
    outputs = [_pass(model, second, each, 4) for each in (cache, other)]
    states = [_recurrent(each.layers[number]) for each in (cache, other)]
    same = all(torch.equal(state, states[1][i]) for i, state in states[0].items())
    # Not to the last bit: sums over experts come in any order on a GPU.
    return same and bool((outputs[0] - outputs[1]).abs().max() <= 0.05 * outputs[0].abs().max())


def _pass(model: PreTrainedModel, ids: torch.Tensor, cache: Cache, start: int) -> torch.Tensor:
    where = positions(model, start, start + ids.shape[1])
    output = model.base_model(input_ids=ids, past_key_values=cache, use_cache=True, **where)
    return output[0].float()


def _recurrent(layer: Any) -> dict[int, torch.Tensor]:
    states = getattr(layer, "recurrent_states", {})
    return {i: state for i, state in states.items() if state is not None}


@runtime_checkable
class StatefulCache(Protocol):
    """A cache that must know of each forward pass before its layers do."""

    def before_pass(self, batch: int, length: int, padded: bool) -> None:
        """``batch`` sequences of ``length`` tokens each will follow; ``padded``: some tokens are padding."""

    def get_seq_length(self) -> int:
        """Tokens seen so far."""


def announce_passes(model: PreTrainedModel) -> None:
    """Has the model tell each ``StatefulCache`` of a forward pass; nothing changes for other caches.

    A cache is asked for a recurrent state before it is given anything of the batch, so it could not know how
    many copies are needed. The hook keeps nothing itself.
    """
    base = model.base_model
    if _announce not in base._forward_pre_hooks.values():
        base.register_forward_pre_hook(_announce, with_kwargs=True)


def _announce(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    cache = kwargs.get("past_key_values")
    if not isinstance(cache, StatefulCache):
        return None
    tokens = kwargs.get("input_ids")
    if tokens is None:
        tokens = args[0] if args else kwargs.get("inputs_embeds")
    assert tokens is not None
    batch, length = tokens.shape[:2]
    mask = kwargs.get("attention_mask")
    if mask is not None and (not isinstance(mask, torch.Tensor) or mask.ndim != 2):
        raise UnsupportedModelError(
            "a fixed context on a model with recurrent layers takes masks of shape [B, tokens] only"
        )
    cache.before_pass(batch, length, mask is not None and not bool(mask[:, -length:].all()))
    if _takes_positions(module) and kwargs.get("position_ids") is None:  # see ``positions``
        start = cache.get_seq_length()
        where = torch.arange(start, start + length, device=tokens.device)
        kwargs = {**kwargs, "position_ids": where.expand(batch, -1)}
    return args, kwargs
