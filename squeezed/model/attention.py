"""The attention function registered with transformers, and how a model is switched to it.

A cache layer of the engine tags the keys it returns with itself; the registered function hands the query to
that layer. Keys of any other cache carry no tag and take transformers' own path, so a model switched to this
attention still works as before, and no state lives outside the cache object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from squeezed_kernels import attend, causal_mask

from squeezed.errors import UnsupportedModelError
from squeezed.model.families import require_supported

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

NAME = "squeezed"
_TAG = "_squeezed_layer"
# Arguments by which models ask for more than softmax(cap(scale q k)) over all keys: sinks, biases, sparsity.
_CHANGES_SCORES = ("s_aux", "sinks", "position_bias", "alibi", "indices", "block_indices")


class AttendingLayer(Protocol):
    """A cache layer that computes its own attention.

    Attributes:
        sliding_window: tokens that a query sees; ``None``: all.
    """

    sliding_window: int | None

    def get_seq_length(self) -> int:
        """Tokens seen so far."""

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
        softcap: float | None,
    ) -> torch.Tensor:
        """``query`` ``[B, Hq, L, D]`` -> ``[B, L, Hq, D]``."""


def tag(states: torch.Tensor, layer: AttendingLayer) -> torch.Tensor:
    """A view of keys or values that leads the registered attention function to ``layer``."""
    view = states.view_as(states)
    setattr(view, _TAG, layer)
    return view


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
    layer: AttendingLayer | None = getattr(key, _TAG, None)
    if layer is None:
        return dense(module, query, key, value, attention_mask, scale, softcap, **kwargs), None
    _require_reproducible(module, layer, value, attention_mask, kwargs)
    return layer.attend(module, query, attention_mask, scale, softcap), None


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
    causal = kwargs.get("is_causal")
    if not (getattr(module, "is_causal", True) if causal is None else causal):
        raise UnsupportedModelError(f"{name} attends in both directions; a causal LM is needed")
    if getattr(value, _TAG, None) is not layer:
        raise UnsupportedModelError(
            f"{name} changes values between cache and attention, so those in the cache cannot be attended"
        )
    window = kwargs.get("sliding_window")
    if window and window != layer.sliding_window and layer.get_seq_length() > window:
        raise UnsupportedModelError(
            f"{name} has a sliding window of {window} tokens, which its configuration does not tell of, and "
            f"{layer.get_seq_length()} tokens do not fit into it"
        )


def dense(
    module: torch.nn.Module,
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    softcap: float | None,
    **kwargs: Any,
) -> torch.Tensor:
    """transformers' own attention over the given keys; result ``[B, L, Hq, D]``.

    That is its SDPA, except where logits are capped: SDPA cannot, so it is what its eager attention computes,
    in float32 and without holding all logits at once.
    """
    if softcap is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, keys, values, mask, scaling=scale, **kwargs)[0]
    length = query.shape[2]
    if mask is None and length > 1:
        # No mask means that these tokens are the first; a cache of fixed size has room behind them.
        keys, values = keys[:, :, :length], values[:, :, :length]
        mask = causal_mask(length, length, query.device)
    output, _ = attend(query, keys, values, mask, scale, softcap=softcap)
    return output.to(query.dtype).transpose(1, 2).contiguous()


def switch(model: PreTrainedModel) -> None:
    """Routes the model's attention through the engine (for other caches: transformers' own as before).

    Raises:
        UnsupportedModelError: the attention has parts that the engine does not reproduce.
    """
    # Here, not above: it takes seconds, which who only checks arguments or reads help need not wait.
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    require_supported(model)
    AttentionInterface.register(NAME, forward)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    if model.config._attn_implementation != NAME:
        model.set_attn_implementation(NAME)
    require_reached(model, model.config._attn_implementation == NAME)


def require_reached(model: PreTrainedModel, reached: bool) -> None:
    """Fails when a forward pass did not go through the registered function.

    Raises:
        UnsupportedModelError: so it was.
    """
    if not reached:
        raise UnsupportedModelError(
            f"the attention of {type(model).__name__} ({model.config.model_type}) does not go through "
            "transformers' AttentionInterface, so the engine cannot serve it"
        )
