"""Which models the engine reproduces exactly, and what each of their layers attends to.

A decoder layer attends to the whole context, and gets an index, or to a sliding window or a chunk, and stays
dense, or it keeps a recurrent state, which is copied. Whatever cannot be right is refused here, by name and
reason, before anything is computed.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from squeezed.errors import UnsupportedModelError
from squeezed.model import adapters, recurrent, weights
from squeezed.model.layers import INDEXED, KINDS, attends

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig, PreTrainedModel

# How use_bidirectional_attention says that only the tokens of one image see each other: text is causal.
BETWEEN_IMAGES = "vision"
BY_BLOCKS = "block_sparse"
NO_CACHE = "keeps no keys and values in a cache of transformers, so the engine cannot serve it"
BY_DISTANCE = "biases attention by distance (ALiBi), which the engine does not apply"


def require_supported(model: PreTrainedModel) -> None:
    """Refuses, by reason, models on which the engine would be wrong.

    Raises:
        UnsupportedModelError: for the first of the reasons in ``refusals``.
    """
    _require(text_config(model).model_type, refusals(model))


def require_supported_config(config: PreTrainedConfig) -> None:
    """The same by the configuration alone, before weights are loaded.

    Raises:
        UnsupportedModelError: for the first of the reasons in ``refusals_of_config``.
    """
    _require(text_config_of(config).model_type, refusals_of_config(config))


def _require(model_type: str, reasons: Iterator[str]) -> None:
    reason = next(reasons, None)
    if reason is not None:
        raise UnsupportedModelError(f"{model_type} {reason}")


def refusals(model: PreTrainedModel) -> Iterator[str]:
    """The reasons why a model cannot be served, each as the end of a sentence about its family."""
    config = text_config(model)
    yield from refusals_of_config(model.config)
    yield from refusals_of_class(type(language_model(model)), config)
    yield from adapters.refusals(model)
    yield from weights.refusals(model)
    if any(getattr(each, "attention_type", None) == BY_BLOCKS for each in decoder_layers(model)):
        yield (
            f"attends by blocks in long passes and fully in short ones (attention_type {BY_BLOCKS!r}); load "
            "it with attention_type='original_full'"
        )


def refusals_of_config(config: PreTrainedConfig) -> Iterator[str]:
    """Those of the reasons that the configuration tells; what it tells of layers, not what a class can do."""
    if config.is_encoder_decoder:
        yield "is an encoder-decoder model; a causal LM is needed"
        return  # the rest is asked of one decoder
    if getattr(config, "canvas_length", None):
        yield "writes by block diffusion, whose tokens see each other in both directions"
    if getattr(config, "patching_mode", None):
        yield (
            "groups tokens into patches anew in each forward pass, so a context cannot be read before the "
            "rest"
        )
    text = text_config_of(config)
    if not getattr(text, "num_hidden_layers", None):
        yield "does not say how many decoder layers it has"
        return
    layers = attends(text)
    kinds = {layer.kind for layer in layers}
    if all(layer.bare for layer in layers):
        yield "has no layer with attention (all are recurrent), so there is no key to index"
    other = kinds - {*KINDS}
    if other:
        yield f"has layers of type {', '.join(sorted(other))}; {', '.join(KINDS)} are supported"
    if INDEXED in kinds and not indexed_tokens(text):
        yield (
            "chooses keys by an indexer of its own, and does not say by index_topk or indexer_budget how many"
        )
    if getattr(text, "alibi", False):
        yield BY_DISTANCE
    both = getattr(text, "use_bidirectional_attention", None)
    if both not in (None, False, BETWEEN_IMAGES) or not getattr(text, "is_causal", True):
        yield "attends in both directions; a causal LM is needed"
    windows = [layer.window for layer in layers if not layer.bare]
    if windows and None not in windows:
        yield (
            f"has a sliding window of {windows[0]} tokens in every layer with attention: none attends to the "
            "whole fixed context, so there is nothing to index; load it with sliding_window=None to attend "
            "to all of it"
        )


def refusals_of_class(
    model_class: type[PreTrainedModel], config: PreTrainedConfig
) -> Iterator[str]:
    """Those of the reasons that lie in a model's code, which needs no weights either.

    Args:
        model_class: of the language model. config: its configuration.
    """
    yield from recurrent.refusals_of_class(model_class, config)
    if "past_key_values" not in inspect.signature(model_class.forward).parameters:
        yield NO_CACHE
    elif any(map(_makes_alibi, _classes_beside(model_class))):
        yield BY_DISTANCE


def _classes_beside(model_class: type[PreTrainedModel]) -> Iterator[type]:
    """The classes that the model's own module defines."""
    module = model_class.__module__
    for each in vars(sys.modules[module]).values():
        if isinstance(each, type) and each.__module__ == module:
            yield each


def _makes_alibi(of: type) -> bool:
    """Whether a class has a method for the bias, so that every model of its kind has one (BLOOM, MPT)."""
    return any("alibi" in name for name in vars(of))


def calls_interface(model: PreTrainedModel) -> bool:
    """Whether the decoder layers ask transformers' ``AttentionInterface`` for their attention function.

    Judged by the code of their modules, as transformers does it for a whole file of code, of which other
    parts may ask for it. Where the code cannot be read, they are taken to.
    """
    if not type(language_model(model))._can_set_attn_implementation():
        return False
    modules = [each for layer in decoder_layers(model) for each in layer.modules()]
    classes = {each for module in modules for each in type(module).__mro__}
    written = [_source(each) for each in classes if "Attention" in each.__name__]
    return not written or any(each is None or "get_interface(" in each for each in written)


@functools.cache
def _source(of: type) -> str | None:
    try:
        return inspect.getsource(of)
    except (OSError, TypeError):
        return None


def indexed_tokens(config: PreTrainedConfig | None) -> int:
    """Tokens up to which a model's own indexer chooses all, so that it changes nothing; 0: not known."""
    return int(getattr(config, "index_topk", None) or getattr(config, "indexer_budget", None) or 0)


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
    """The window of each decoder layer, in tokens, itself included; ``None``: it attends to everything."""
    return tuple(layer.window for layer in attends(text_config(model)))


def text_config(model: PreTrainedModel) -> PreTrainedConfig:
    """The configuration of the language model, which may be a part of a larger one."""
    return text_config_of(model.config)


def text_config_of(config: PreTrainedConfig) -> PreTrainedConfig:
    """The language model's part of a configuration, or the whole if it has no parts."""
    return config.get_text_config(decoder=True)


def language_model(model: PreTrainedModel) -> PreTrainedModel:
    """The part of a model that has the decoder layers; the whole, unless it also sees or hears."""
    text = text_config(model)
    found = (m for m in model.modules() if getattr(m, "config", None) is text)
    return next(filter(is_model, found), model)


def layer_count(model: PreTrainedModel) -> int:
    """Number of decoder layers."""
    return int(text_config(model).num_hidden_layers)


def decoder_layers(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The decoder layers of the language model; empty where they do not stand in one list."""
    count, text = layer_count(model), text_config(model)
    waiting: list[torch.nn.Module] = [language_model(model)]
    while waiting:  # outer modules first: the decoder layers come before lists inside them
        module = waiting.pop(0)
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return list(module)
        # Not those of a part that sees or hears.
        waiting += [
            each
            for each in module.children()
            if not is_model(each) or isinstance(each.config, type(text))
        ]
    return []


def is_model(module: torch.nn.Module) -> bool:
    """Whether a module is a model of transformers, alone or as a part of another.

    By its class: what wraps a model (PEFT) passes all attributes on.
    """
    return hasattr(type(module), "set_attn_implementation")


def layer_devices(model: PreTrainedModel) -> list[torch.device]:
    """The device that computes each decoder layer; a model may be spread over several."""
    found = [_device(layer, model.device) for layer in decoder_layers(model)]
    return found or [model.device] * layer_count(model)


def _device(layer: torch.nn.Module, default: torch.device) -> torch.device:
    # A layer that device_map offloads keeps no weights; its hook knows where they go when it runs.
    hook = getattr(layer, "_hf_hook", None)
    execution = getattr(hook, "execution_device", None)
    if execution is not None:
        return torch.device(execution)
    return next((weight.device for weight in layer.parameters()), default)
