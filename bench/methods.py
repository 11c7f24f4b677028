"""From a method's settings to the engine's method object, and from a depth to its levels."""

import dataclasses
from typing import Any

import squeezed
from bench.config import MethodConf
from bench.errors import InputError
from bench.spec import MethodSpec
from squeezed.index import validate_levels

# Shares of the clustered keys that become centroids, coarse to fine, for each depth.
LEVELS: dict[int, tuple[float, ...]] = {1: (0.05,), 2: (0.01, 0.05), 3: (0.002, 0.01, 0.05)}


def method_spec(config: MethodConf) -> MethodSpec:
    """The method's own parameters, with the engine's defaults filled in.

    Raises:
        InputError: an unknown method, or a value that the engine refuses.
    """
    if config.name not in squeezed.METHODS:
        known = ", ".join(sorted(squeezed.METHODS))
        raise InputError(f"unknown method {config.name!r}; known: {known}")
    fields = {field.name for field in dataclasses.fields(_method_class(config.name))}
    given = {name: value for name, value in vars(config).items() if name in fields}
    method = build_method(config.name, tuple(given.items()))
    parameters = tuple(
        sorted((name, value) for name, value in vars(method).items() if value is not None)
    )
    depth = config.depth if config.name == "squeezed" else None
    return MethodSpec(config.name, parameters, depth)


def build_method(name: str, parameters: tuple[tuple[str, Any], ...]) -> squeezed.Method:
    """The engine's method object.

    Raises:
        InputError: the engine refuses a value.
    """
    try:
        return _method_class(name)(**dict(parameters))
    except ValueError as error:
        raise InputError(f"method {name}: {error}") from error


def levels(depth: int) -> tuple[float, ...]:
    """Shares of the keys that become centroids, coarse to fine.

    Raises:
        InputError: no hierarchy of that depth.
    """
    if depth not in LEVELS:
        known = ", ".join(map(str, LEVELS))
        raise InputError(f"method.depth is {depth}; expected one of {known}")
    try:
        return validate_levels(LEVELS[depth])
    except ValueError as error:
        raise InputError(f"method.depth is {depth}: {error}") from error


def _method_class(name: str) -> Any:
    # The registry's type says Method; every method is a dataclass with its own fields.
    return squeezed.METHODS[name]
