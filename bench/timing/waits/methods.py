"""The methods of ours that are timed, and whether their budget can be met."""

from collections.abc import Sequence
from typing import Any

import squeezed
from bench.config.errors import InputError
from bench.config.method_settings import build_method, index_spec, method_spec
from bench.config.schema import IndexConf, MethodConf
from bench.models.shapes import shape_in
from bench.models.sizes import size_obstacle
from bench.timing.waits.settings import Settings


def of(budget: float, names: Sequence[str]) -> dict[str, squeezed.Method]:
    """The engine's methods by the names of the settings."""
    specs = {name: method_spec(_conf(name, budget)) for name in names}
    return {name: build_method(spec.name, spec.parameters) for name, spec in specs.items()}


def require_budget(settings: Settings, config: Any) -> None:
    """Checks, before anything is timed, that each method's budget can be met on each length.

    Args:
        config: of the model.

    Raises:
        InputError: it cannot; names the smallest one that can be.
    """
    try:
        shape = shape_in(config, settings.dtype)
    except (AttributeError, ValueError, TypeError, KeyError):
        return  # the engine tells it when it comes there
    for name in settings.methods:
        conf = _conf(name, settings.kv_budget)
        method, index = method_spec(conf), index_spec(conf, IndexConf())
        for length in settings.lengths:
            if why := size_obstacle(method, index, shape, length):
                raise InputError(f"lengths={length}, methods={name}: {why}")


def _conf(name: str, budget: float) -> MethodConf:
    if name == "full":
        return MethodConf(name="full")
    if name == "topk":
        return MethodConf(name="squeezed", rule="topk", kv_budget=budget)
    return MethodConf(name="squeezed_best", kv_budget=budget)
