"""The part of ``--model_args`` that is the suite's: method, index, and where a prompt is cut."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from squeezed_kernels.backend import AUTO, MODULES

import squeezed
from bench import tasks
from bench.config import schema
from bench.config.errors import InputError
from bench.config.method_settings import build_method, index_spec, method_spec
from bench.config.methods import described
from bench.config.schema import Config, IndexConf, MethodConf
from bench.config.spec import IndexSpec, MethodSpec
from bench.config.values import check_index
from bench.harness.cut import Cut
from rows.compose import CONF, composition, plain
from rows.keys import SettingError, meant

METHOD = tuple(each.name for each in fields(MethodConf) if each.name not in ("name", "own"))
INDEX = ("window", "strategy", "balance")
OTHERS = ("method", "context_field", "marker", "kernels", "cache_dir", "records")
ALL = (*OTHERS, *INDEX, *METHOD)


@dataclass(frozen=True)
class Settings:
    """What the suite is asked for.

    Attributes:
        method: decided, for records; ``engine``: the engine's object. index: how contexts are prepared.
        cut: what is fixed. kernels: their backend. cache_dir: of indexes; None: they are not kept.
        records: file that gets a JSON line for each request; None: no such file.
    """

    method: MethodSpec
    engine: squeezed.Method
    index: IndexSpec
    cut: Cut
    kernels: str
    cache_dir: Path | None
    records: Path | None


def read(given: dict[str, Any]) -> Settings:
    """The settings among model arguments.

    Args:
        given: by name: of ``names_of``, with the values that the harness read.

    Raises:
        InputError, SettingError: a value that cannot be, or one that the method does not have.
    """
    name = str(given.get("method", "squeezed_topk"))
    method = {key: value for key, value in given.items() if key in METHOD}
    index = {key: value for key, value in given.items() if key in INDEX}
    own = {key: value for key, value in given.items() if key not in ALL}
    config = _composed(name, method, index, own)
    known = described(config.method.name).settings
    for key in method:
        if key not in known:
            raise InputError(f"{name} has no {key}; leave it out")
    check_index(config.index)
    spec = method_spec(config.method)
    if spec.calibration_inputs:
        raise InputError("calibration_inputs: the harness scores every question; leave it out")
    if spec.calibration_pieces:
        raise InputError("calibration_pieces: the harness does not calibrate; leave it out")
    if given.get("context_field") and given.get("marker"):
        raise InputError("context_field and marker are both given; say what is fixed in one way")
    kernels = str(given.get("kernels", AUTO))
    if kernels not in (AUTO, *MODULES):
        raise InputError(
            f"kernels is {kernels!r}; expected {AUTO} or one of {', '.join(MODULES)}"
            f"{meant(kernels, MODULES)}"
        )
    fields = str(given.get("context_field") or "")
    return Settings(
        method=spec,
        engine=build_method(spec.name, spec.parameters),
        index=index_spec(config.method, config.index),
        cut=Cut(
            tuple(filter(None, fields.split("+"))),
            _text(given.get("marker")),
            config.index.window,
        ),
        kernels=kernels,
        cache_dir=_path(given.get("cache_dir")),
        records=_path(given.get("records")),
    )


def names_of(given: dict[str, Any]) -> tuple[str, ...]:
    """The suite's names of model arguments, for the method that is asked for: its own parameters are some.

    Raises:
        InputError: an unknown method.
    """
    config = _composed(str(given.get("method", "squeezed_topk")), {}, {}, {})
    own = described(config.method.name).parameters
    return (*ALL, *(each for each in own if each not in METHOD))


def require_known(given: dict[str, Any], others: set[str]) -> tuple[str, ...]:
    """Checks names of model arguments.

    Args:
        others: names that are not the suite's.

    Returns:
        The suite's names, as ``names_of``.

    Raises:
        InputError: a name that nobody knows, with the one that may be meant.
    """
    suites = names_of(given)
    for name in given:
        if name not in suites and name not in others:
            hint = meant(name, [*suites, *others]) or f"; the suite's: {', '.join(suites)}"
            raise InputError(f"unknown model argument {name!r}{hint}")
    return suites


def _composed(
    name: str, method: dict[str, Any], index: dict[str, Any], own: dict[str, Any]
) -> Config:
    if not (CONF / "method" / f"{name}.yaml").exists():
        known = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
        raise InputError(f"unknown method {name!r}{meant(name, known) or f'; known: {known}'}")
    schema.register()
    tasks.register()
    given = {f"method.{key}": value for key, value in method.items()}
    given |= {f"index.{key}": value for key, value in index.items()}
    # With ++, as not all of a method's parameters stand in its file.
    given |= {f"++method.own.{key}": value for key, value in own.items()}
    lines = [f"{key}={'null' if value is None else value}" for key, value in given.items()]
    try:
        with composition(CONF, [f"method={name}", *lines], multirun=False) as composed:
            point = next(composed.points())
            config: Config = plain(point.config)
    except SettingError as error:
        raise InputError(str(error)) from error
    assert isinstance(config.index, IndexConf)
    return config


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _path(value: Any) -> Path | None:
    return Path(str(value)).expanduser() if value else None
