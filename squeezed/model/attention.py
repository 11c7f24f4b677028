"""The attention function registered with transformers, and how a model is switched to it.

A cache layer of the engine tags the keys it returns with itself; the registered function hands the query to
that layer. Keys of any other cache carry no tag and take transformers' own path, so a model switched to this
attention still works as before, and no state lives outside the cache object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from squeezed_kernels import attend, causal_mask

from squeezed.errors import UnsupportedModelError
from squeezed.model import families
from squeezed.model.families import require_supported
from squeezed.model.logits import Logits
from squeezed.model.recurrent import announce_passes, has_states
from squeezed.model.scores import Followed
from squeezed.model.tags import layer_of, plain

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

NAME = "squeezed"
# Arguments by which models ask for more than softmax(cap(scale q k)) over all keys and a sink.
_CHANGES_SCORES = ("sinks", "position_bias", "alibi", "block_indices")


class AttendingLayer(Protocol):
    """A cache layer that computes its own attention.

    Attributes:
        sliding_window: tokens that a query sees; ``None``: all.
        captures: the tokens are the fixed context's own.
        followed: of a model whose own attention code is followed; ``None``: it calls this module's function.
    """

    sliding_window: int | None
    captures: bool
    followed: Followed | None

    def get_seq_length(self) -> int:
        """Tokens seen so far."""

    def check(
        self,
        module: torch.nn.Module,
        length: int,
        mask: torch.Tensor | None,
        positions: torch.Tensor | None,
    ) -> None:
        """Refuses ``length`` query tokens that are not where they belong; ``positions`` ``[B or 1, L]``."""

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
        logits: Logits,
    ) -> torch.Tensor:
        """``query`` ``[B, Hq, L, D]`` -> ``[B, L, Hq, Dv]``.

        ``keys`` ``[B, H, U, D]`` and ``values`` ``[B, H, U, Dv]`` are what the model made of those that the
        layer's ``update`` returned, a token's from that token alone.
        """


def forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the shape transformers registers: ``query`` ``[B, Hq, L, D]`` -> ``[B, L, Hq, D]``."""
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    logits = Logits(scale, softcap, kwargs.pop("s_aux", None))
    layer: AttendingLayer | None = layer_of(key)
    query, keys, values = plain(query), plain(key), plain(value)
    if layer is None:
        return dense(module, query, keys, values, attention_mask, logits, **kwargs), None
    _require_reproducible(module, layer, value, attention_mask, kwargs)
    layer.check(module, query.shape[2], attention_mask, kwargs.get("position_ids"))
    return layer.attend(module, query, keys, values, attention_mask, logits), None


def _require_reproducible(
    module: torch.nn.Module,
    layer: AttendingLayer,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    kwargs: dict[str, Any],
) -> None:
    """Refuses attention that a layer would compute wrongly.

    Raises:
        UnsupportedModelError: scores are changed, attention is not causal, values are not the cache's, or a
            window is left that the layer does not apply.
    """
    name = type(module).__name__
    changed = [each for each in _CHANGES_SCORES if kwargs.get(each) is not None]
    if mask is not None and mask.dtype != torch.bool:
        changed.append(f"a mask of {mask.dtype} (a boolean one is expected)")
    if changed:
        raise UnsupportedModelError(
            f"{name} changes attention scores by {', '.join(changed)}, which the engine does not apply"
        )
    _require_causal(module, mask, kwargs.get("is_causal"))
    if layer_of(value) is not layer:
        raise UnsupportedModelError(
            f"{name} attends to values that do not come from its cache, so the cache cannot serve them"
        )
    _require_unselected(module, layer, kwargs)
    window = kwargs.get("sliding_window")
    if window and window != layer.sliding_window and layer.get_seq_length() > window:
        raise UnsupportedModelError(
            f"{name} has a sliding window of {window} tokens, which its configuration does not tell of, and "
            f"{layer.get_seq_length()} tokens do not fit into it"
        )


def _require_causal(module: torch.nn.Module, mask: torch.Tensor | None, asked: bool | None) -> None:
    """Refuses attention in both directions.

    Where a module says so of itself, its mask decides: some say it of a decoder, and mask what comes later.
    (No mask is a causal one: ``_mask`` leaves out no other.)
    """
    if getattr(module, "is_causal", True) if asked is None else asked:
        return
    if asked is None and mask is None:
        return
    if asked is None and mask is not None:
        after = ~causal_mask(mask.shape[2], mask.shape[3], mask.device)
        if not bool((mask & after).any()):
            return
    raise UnsupportedModelError(
        f"{type(module).__name__} attends in both directions; a causal LM is needed"
    )


def _mask(*sizes: Any, **settings: Any) -> torch.Tensor | None:
    """transformers' mask for SDPA, left out where it is causal and nothing else, and nowhere else."""
    from transformers.masking_utils import sdpa_mask

    return sdpa_mask(*sizes, **{**settings, "allow_is_bidirectional_skip": False})


def _require_unselected(
    module: torch.nn.Module, layer: AttendingLayer, kwargs: dict[str, Any]
) -> None:
    """Refuses a model's own choice of keys, unless all tokens fit into it, so that it chooses them all."""
    if kwargs.get("indices") is None and getattr(module, "indexer", None) is None:
        return
    most = families.indexed_tokens(getattr(module, "config", None))
    if layer.get_seq_length() > most:
        raise UnsupportedModelError(
            f"{type(module).__name__} chooses {most} keys by an indexer of its own, and "
            f"{layer.get_seq_length()} tokens are more; the engine serves it up to {most} tokens"
        )


def dense(
    module: torch.nn.Module,
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    logits: Logits,
    **kwargs: Any,
) -> torch.Tensor:
    """transformers' own attention over the given keys; result ``[B, L, Hq, Dv]``.

    That is its SDPA, except where logits are capped or there are sinks: SDPA cannot, so it is what its eager
    attention computes, in float32 and without holding all logits at once.
    """
    if logits.softcap is None and logits.sinks is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        scale = logits.scale
        return sdpa_attention_forward(module, query, keys, values, mask, scaling=scale, **kwargs)[0]
    length = query.shape[2]
    if mask is None and length > 1:
        # No mask means that these tokens are the first; a cache of fixed size has room behind them.
        keys, values = keys[:, :, :length], values[:, :, :length]
        mask = causal_mask(length, length, query.device)
    found = attend(query, keys, values, mask, logits.scale, softcap=logits.softcap)
    return logits.finish(*found).to(query.dtype).transpose(1, 2).contiguous()


def switch(model: PreTrainedModel) -> None:
    """Routes the model's attention through the engine (for other caches: transformers' own as before).

    A model that does not ask transformers for its attention function keeps its own, which is followed
    (``squeezed.model.scores``).

    Raises:
        UnsupportedModelError: the attention has parts that the engine does not reproduce.
    """
    # Here, not above: it takes seconds, which who only checks arguments or reads help need not wait.
    from transformers import AttentionInterface, AttentionMaskInterface

    require_supported(model)
    AttentionInterface.register(NAME, forward)
    AttentionMaskInterface.register(NAME, _mask)
    # Of a model that also sees, the language model's: another part may keep an attention of its own.
    language = families.text_config(model)
    if not families.calls_interface(model):
        # Of each model inside: which of them is called with the cache differs (some call a part of theirs).
        for part in filter(families.is_model, model.modules()):
            if _follow not in part._forward_pre_hooks.values():
                part.register_forward_pre_hook(_follow, with_kwargs=True)
        return
    if language._attn_implementation != NAME:
        model.set_attn_implementation(NAME)
    require_reached(model, language._attn_implementation == NAME)
    if has_states(language):
        announce_passes(model)


@runtime_checkable
class FollowingCache(Protocol):
    """A cache whose layers follow a model's own attention code."""

    def follow(self, followed: Followed) -> None:
        """A forward pass of such a model begins."""


def _follow(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    cache = kwargs.get("past_key_values")
    if isinstance(cache, FollowingCache):
        config = families.text_config_of(module.config)
        cache.follow(Followed(config, kwargs.get("position_ids"), kwargs.get("attention_mask")))


def require_reached(model: PreTrainedModel, reached: bool) -> None:
    """Fails when a forward pass did not go through the registered function.

    Raises:
        UnsupportedModelError: so it was.
    """
    if not reached:
        raise UnsupportedModelError(
            f"the attention of {type(model).__name__} ({model.config.model_type}) neither goes through "
            "transformers' AttentionInterface nor is a product of queries and keys, a softmax and a product "
            "with values, so the engine cannot serve it"
        )
