"""Adapters that a model carries (PEFT's, or others of that shape), known by what they look like.

An adapter changes the keys without changing a weight of the model: which one is on, how strongly, and whether
it is merged are states of its layers. Nothing here needs the package that made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

# Of the layers' settings: those of how they are trained or kept, not of what they compute.
_BESIDE = ("kwargs", "lora_variant")
_SIMPLE = (bool, int, float, str, type(None))


def states(model: nn.Module) -> Iterator[list[Any]]:
    """The state of every adapter layer, as JSON can hold it.

    Each: place, class, whether it is off, which are on, which are merged, settings of those that act.
    """
    for name, module in model.named_modules():
        active = _names(module, "active_adapters", "_active_adapter", "active_adapter")
        if active is None:
            continue
        merged = _names(module, "merged_adapters") or []
        off = bool(getattr(module, "disable_adapters", False))
        acting = [*merged, *([] if off else active)]
        settings = {
            f"{key}.{each}": value[each]
            for key, value in vars(module).items()
            if isinstance(value, dict) and key not in _BESIDE
            for each in acting
            if each in value and isinstance(value[each], _SIMPLE)
        }
        yield [name, type(module).__name__, off, active, merged, settings]


def refusals(model: nn.Module) -> Iterator[str]:
    """Adapters with which the engine would be wrong, each as the end of a sentence about the model."""
    for module in model.modules():
        configs = _get(module, "peft_config")
        if not isinstance(configs, dict):
            continue
        # transformers' own models answer by a method, PEFT's by a property.
        loaded = getattr(module, "_hf_peft_config_loaded", False)
        active = _names(module, "active_adapters", "active_adapter")
        if active is None and loaded:
            active = list(module.active_adapters())  # type: ignore[operator]
        for name in active or ():
            if (reason := _refusal(configs.get(name))) is not None:
                yield f"has the adapter {name!r}, which {reason}"


def _refusal(config: Any) -> str | None:
    kind = getattr(config, "peft_type", None)
    kind = str(getattr(kind, "value", kind))
    if getattr(config, "is_prompt_learning", False):
        return (
            f"puts virtual tokens in front of each forward pass ({kind}): they would stand in front of every "
            "question too, not of the fixed context alone"
        )
    if kind == "XLORA":
        return "mixes its experts anew in each forward pass (XLORA), so keys depend on what is read together"
    if getattr(config, "alora_invocation_tokens", None):
        return (
            "acts from its invocation tokens on (aLoRA), and where they are does not show in a prompt that "
            "is read in several parts"
        )
    return None


def _names(module: nn.Module, *attributes: str) -> list[str] | None:
    """Names of adapters under the first of the attributes that holds any; None: it is no such module."""
    for attribute in attributes:
        found = _get(module, attribute)
        if isinstance(found, str):
            return [found]
        if isinstance(found, list | tuple | set):
            return [str(each) for each in (sorted(found) if isinstance(found, set) else found)]
    return None


def _get(module: nn.Module, attribute: str) -> Any:
    """The module's own attribute or property, or None: a module that lacks one takes long to say so."""
    there = attribute in vars(module) or hasattr(type(module), attribute)
    return getattr(module, attribute) if there else None
