"""From a method's settings to the engine's method object, and to how its contexts are prepared."""

import dataclasses
from typing import Any

import squeezed
from bench.config.errors import InputError
from bench.config.schema import IndexConf, MethodConf
from bench.config.spec import IndexSpec, MethodSpec

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
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(config).items()
        if name in fields and value is not None
    }
    for name, value in config.own.items():
        if name not in fields or name in vars(config):
            own = ", ".join(sorted(fields - set(vars(config)))) or "none"
            raise InputError(
                f"method.own.{name}: {config.name} has no such parameter; known: {own}"
            )
        given[name] = tuple(value) if isinstance(value, list) else value
    method = build_method(config.name, tuple(given.items()))
    parameters = {name: value for name, value in vars(method).items() if value is not None}
    if config.name == "squeezed" and len(levels(config)) == 1:
        for name in ("coarse_sparsity", "coarse_score"):
            del parameters[name]  # no coarser level: one run, whatever a sweep says of it
    defaults = vars(build_method(config.name, ()))
    changed = {name: value for name, value in parameters.items() if value != defaults[name]}
    clustered = config.name == "squeezed"
    if config.calibration_inputs < 0:
        raise InputError(
            f"method.calibration_inputs is {config.calibration_inputs}; expected 0 or more questions"
        )
    return MethodSpec(
        config.name,
        tuple(sorted(parameters.items())),
        depth=len(levels(config)) if clustered else None,
        changed=tuple(sorted(changed.items())),
        calibration_inputs=config.calibration_inputs if _calibrated(parameters) else 0,
    )


def index_spec(method: MethodConf, index: IndexConf) -> IndexSpec:
    """How contexts are prepared for a method; methods without clusters share one index.

    Raises:
        InputError: a hierarchy or a window that cannot be.
    """
    if index.window < 1:
        raise InputError(f"index.window is {index.window}; expected at least 1")
    if index.strategy not in squeezed.STRATEGIES:
        known = ", ".join(squeezed.STRATEGIES)
        raise InputError(f"index.strategy is {index.strategy!r}; expected one of {known}")
    if index.balance is not None and index.balance < 1:
        raise InputError(
            f"index.balance is {index.balance}; expected at least 1 times the mean size"
        )
    shares = levels(method) if method.name == "squeezed" else LEVELS[1]
    return IndexSpec(levels=shares, accumulate=method.name == "h2o", **vars(index))


def build_method(name: str, parameters: tuple[tuple[str, Any], ...]) -> squeezed.Method:
    """The engine's method object.

    Raises:
        InputError: the engine refuses a value.
    """
    try:
        return _method_class(name)(**dict(parameters))
    except (TypeError, ValueError) as error:
        raise InputError(f"method {name}: {error}") from error


def levels(config: MethodConf) -> tuple[float, ...]:
    """Shares of the keys that become centroids, coarse to fine.

    Raises:
        InputError: no hierarchy of that depth, or shares out of range.
    """
    if config.levels is None and config.depth not in LEVELS:
        known = ", ".join(map(str, LEVELS))
        raise InputError(
            f"method.depth is {config.depth}; expected one of {known}, or set method.levels=[...]"
        )
    shares = LEVELS[config.depth] if config.levels is None else tuple(config.levels)
    try:
        return squeezed.validate_levels(shares)
    except ValueError as error:
        raise InputError(f"method.levels: {error}") from error


def _calibrated(parameters: dict[str, Any]) -> bool:
    """Whether a method has thresholds to calibrate: ``topk`` and a mass of its own have none."""
    return parameters.get("rule") in ("threshold", "topp") and "top_p" not in parameters


def _method_class(name: str) -> Any:
    # The registry's type says Method; every method is a dataclass with its own fields.
    return squeezed.METHODS[name]
