"""From a method's settings to the engine's method object, and to how its contexts are prepared."""

import dataclasses
from typing import Any

import squeezed
from bench.config.errors import InputError
from bench.config.methods import CALIBRATIONS, of_class
from bench.config.schema import IndexConf, MethodConf
from bench.config.spec import IndexSpec, MethodSpec
from bench.config.values import LEVELS, check_index, check_method, levels, thresholds


def method_spec(config: MethodConf) -> MethodSpec:
    """The method's own parameters, with the engine's defaults filled in.

    Raises:
        InputError: an unknown method, or a value that the engine refuses.
    """
    check_method(config)
    clustered = of_class(config.name).clustered
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
    if clustered and len(levels(config)) == 1:
        for name in ("coarse_sparsity", "coarse_score"):
            parameters.pop(name, None)  # no coarser level: one run, whatever a sweep says of it
    if parameters.get("question") == "sparse":
        del parameters["question"]  # as runs before there was a choice are named
    defaults = vars(build_method(config.name, ()))
    changed = {name: value for name, value in parameters.items() if value != defaults[name]}
    return MethodSpec(
        config.name,
        tuple(sorted(parameters.items())),
        depth=len(levels(config)) if clustered else None,
        changed=tuple(sorted(changed.items())),
        **{name: getattr(config, name) for name in CALIBRATIONS if thresholds(config)},
    )


def index_spec(method: MethodConf, index: IndexConf) -> IndexSpec:
    """How contexts are prepared for a method; methods without clusters share one index.

    Raises:
        InputError: a hierarchy or a window that cannot be.
    """
    check_index(index)
    cls = _method_class(method.name)
    shares = levels(method) if cls.clustered else LEVELS[1]
    return IndexSpec(levels=shares, statistics=squeezed.statistics_for(cls.needs), **vars(index))


def build_method(name: str, parameters: tuple[tuple[str, Any], ...]) -> squeezed.Method:
    """The engine's method object.

    Raises:
        InputError: the engine refuses a value, or a file that it names is not there.
    """
    try:
        return _method_class(name)(**dict(parameters))
    except (TypeError, ValueError, FileNotFoundError) as error:
        raise InputError(f"method {name}: {error}") from error


def _method_class(name: str) -> Any:
    # The registry's type says Method; every method is a dataclass with its own fields.
    return squeezed.METHODS[name]
