"""The attention function registered with transformers, and what a model must be for it to be exact.

A cache layer of the engine tags the keys it returns with itself; the registered function hands the query to
that layer. Keys of any other cache carry no tag and take transformers' own SDPA path, so a model switched to
this attention still works as before, and no state lives outside the cache object.
"""

from typing import Any, Protocol

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from squeezed.errors import UnsupportedModelError

NAME = "squeezed"
_TAG = "_squeezed_layer"
# Arguments by which models ask for more than softmax(scale q k): sinks, capped logits, biases, windows.
_CHANGES_SCORES = ("s_aux", "softcap", "position_bias", "sliding_window")


class AttendingLayer(Protocol):
    """A cache layer that computes its own attention."""

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
        softcap: float | None,
    ) -> torch.Tensor:
        """``query`` ``[B, Hq, L, D]`` -> ``[B, L, Hq, D]``."""


def tag(keys: torch.Tensor, layer: AttendingLayer) -> torch.Tensor:
    """A view of ``keys`` that leads the registered attention function to ``layer``."""
    view = keys.view_as(keys)
    setattr(view, _TAG, layer)
    return view


def forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the shape transformers registers: ``query`` ``[B, Hq, L, D]`` -> ``[B, L, Hq, D]``."""
    layer: AttendingLayer | None = getattr(key, _TAG, None)
    if layer is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    changed = [name for name in _CHANGES_SCORES if kwargs.get(name) is not None]
    if changed:
        raise UnsupportedModelError(
            f"{type(module).__name__} changes attention scores by {', '.join(changed)}, which the engine "
            "does not apply"
        )
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    return layer.attend(module, query, attention_mask, scale, None), None


def dense(
    module: torch.nn.Module,
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    softcap: float | None,
) -> torch.Tensor:
    """transformers' own SDPA attention over the given keys; result ``[B, L, Hq, D]``."""
    return sdpa_attention_forward(module, query, keys, values, mask, scaling=scale)[0]


def switch(model: PreTrainedModel) -> None:
    """Routes the model's attention through the engine (for other caches: SDPA as before).

    Raises:
        UnsupportedModelError: the attention has parts that the engine does not reproduce.
    """
    require_supported(model)
    if model.config._attn_implementation != NAME:
        model.set_attn_implementation(NAME)


def require_supported(model: PreTrainedModel) -> None:
    """Refuses, by reason, models on which the engine would be wrong.

    Raises:
        UnsupportedModelError: encoder-decoder, sliding-window or linear layers, capped logits.
    """
    config = model.config.get_text_config(decoder=True)
    family = config.model_type
    if model.config.is_encoder_decoder:
        raise UnsupportedModelError(f"{family} is an encoder-decoder model; a causal LM is needed")
    layer_types = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if layer_types:
        raise UnsupportedModelError(
            f"{family} has layers of type {', '.join(sorted(layer_types))}; only full attention is supported"
        )
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        raise UnsupportedModelError(
            f"{family} uses sliding-window attention (sliding_window={config.sliding_window}), which the "
            "engine does not apply; load it with sliding_window=None"
        )
    if getattr(config, "attn_logit_softcapping", None):
        raise UnsupportedModelError(
            f"{family} caps attention logits, which the engine does not apply"
        )


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


def layer_count(model: PreTrainedModel) -> int:
    """Number of decoder layers."""
    return int(model.config.get_text_config(decoder=True).num_hidden_layers)


def layer_devices(model: PreTrainedModel) -> list[torch.device]:
    """The device of each decoder layer; a model may be spread over several."""
    for module in model.modules():
        layers = getattr(module, "layers", None)
        if isinstance(layers, torch.nn.ModuleList) and len(layers) == layer_count(model):
            return [next(layer.parameters()).device for layer in layers]
    return [model.device] * layer_count(model)


AttentionInterface.register(NAME, forward)
AttentionMaskInterface.register(NAME, sdpa_mask)
