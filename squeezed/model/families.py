"""Which models the engine reproduces exactly, and what each of their layers attends to.

A decoder layer attends either to the whole context, and gets an index, or to a sliding window, and stays
dense. Whatever cannot be right is refused here, by name and reason, before anything is computed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from squeezed.errors import UnsupportedModelError

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig, PreTrainedModel

FULL, SLIDING = "full_attention", "sliding_attention"


def require_supported(model: PreTrainedModel) -> None:
    """Refuses, by reason, models on which the engine would be wrong.

    Raises:
        UnsupportedModelError: for the first of the reasons in ``refusals``.
    """
    reason = next(refusals(model), None)
    if reason is not None:
        raise UnsupportedModelError(f"{text_config(model).model_type} {reason}")


def refusals(model: PreTrainedModel) -> Iterator[str]:
    """The reasons why a model cannot be served, each as the end of a sentence about its family."""
    config = text_config(model)
    kinds = set(getattr(config, "layer_types", None) or ())
    if model.config.is_encoder_decoder:
        yield "is an encoder-decoder model; a causal LM is needed"
    if getattr(model, "_is_stateful", False) or kinds & {"linear_attention", "conv", "hybrid"}:
        yield "has layers with a recurrent state (linear attention, SSM), which keep no keys to index"
    if "chunked_attention" in kinds or getattr(config, "attention_chunk_size", None):
        yield (
            "has chunked-attention layers: a question in a new chunk does not see the fixed context there, "
            "which the engine does not reproduce"
        )
    other = kinds - {FULL, SLIDING, "chunked_attention"}
    if other:
        yield f"has layers of type {', '.join(sorted(other))}; {FULL} and {SLIDING} are supported"
    if getattr(config, "num_kv_shared_layers", 0) or any(
        getattr(config, "kv_sharing_modes", None) or ()
    ):
        yield "shares keys and values between layers, and the engine keeps an index for each layer"
    if getattr(config, "kv_lora_rank", None):
        yield (
            "has multi-head latent attention (kv_lora_rank): keys and values are made from compressed ones "
            "behind the cache, so there are none to index in it"
        )
    if any(name.rpartition(".")[2] == "sinks" for name, _ in model.named_parameters()):
        yield "has attention sinks (a learned logit beside the keys'), which the engine does not apply"
    if getattr(config, "alibi", False):
        yield "biases attention by distance (ALiBi), which the engine does not apply"
    if getattr(config, "use_bidirectional_attention", False) or not getattr(
        config, "is_causal", True
    ):
        yield "attends in both directions; a causal LM is needed"
    windows = sliding_windows(model)
    if windows and None not in windows:
        yield (
            f"has a sliding window of {windows[0]} tokens in every layer: none attends to the whole fixed "
            "context, so there is nothing to index; load it with sliding_window=None to attend to all of it"
        )


def require_positions(model: PreTrainedModel) -> None:
    """Refuses models that cannot be told where a token stands: a padded batch would misplace its members.

    Raises:
        UnsupportedModelError: ``forward`` takes no ``position_ids``.
    """
    if "position_ids" not in inspect.signature(model.forward).parameters:
        raise UnsupportedModelError(
            f"{text_config(model).model_type} takes no position_ids, so user inputs of different lengths "
            "cannot be answered in one batch; ask them one by one"
        )


def sliding_windows(model: PreTrainedModel) -> tuple[int | None, ...]:
    """The window of each decoder layer, in tokens, itself included; ``None``: it attends to everything.

    A window that no position the model is made for can leave is none. (Some long-context models have one; the
    attention function watches that it is not left after all.)
    """
    config, layers = text_config(model), layer_count(model)
    window = getattr(config, "sliding_window", None) or None
    longest = getattr(config, "max_position_embeddings", None)
    if window is not None and longest is not None and window >= longest:
        window = None
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        slides = window is not None and getattr(config, "use_sliding_window", True)
        kinds = [SLIDING if slides else FULL] * layers
    return tuple(window if kind == SLIDING else None for kind in kinds[:layers])


def text_config(model: PreTrainedModel) -> PreTrainedConfig:
    """The configuration of the language model, which may be a part of a larger one."""
    return model.config.get_text_config(decoder=True)


def layer_count(model: PreTrainedModel) -> int:
    """Number of decoder layers."""
    return int(text_config(model).num_hidden_layers)


def layer_devices(model: PreTrainedModel) -> list[torch.device]:
    """The device that computes each decoder layer; a model may be spread over several."""
    count = layer_count(model)
    for (
        module
    ) in model.modules():  # outer modules first: the decoder layers come before lists inside them
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return [_device(layer, model.device) for layer in module]
    return [model.device] * count


def _device(layer: torch.nn.Module, default: torch.device) -> torch.device:
    # A layer that device_map offloads keeps no weights; its hook knows where they go when it runs.
    hook = getattr(layer, "_hf_hook", None)
    execution = getattr(hook, "execution_device", None)
    if execution is not None:
        return torch.device(execution)
    return next((weight.device for weight in layer.parameters()), default)
