"""What the engine's methods have, known without importing the engine, which takes seconds.

A wrong setting is refused at once. A test holds the table equal to the classes of ``squeezed.METHODS``; a
method that is not in it is asked itself, so a new one works without an entry, and is refused later.
"""

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.errors import InputError
from rows.keys import meant

FILES = Path(__file__).resolve().parents[2] / "conf" / "method"


@dataclass(frozen=True)
class Described:
    """A method without its code.

    Attributes:
        parameters: its settings and their defaults. clustered, indexed: as ``squeezed.Method`` says.
        rule: that it selects by if none is asked for; None: it has no rules. rules: that it knows.
        calibrated: it has thresholds of its own; without them ``topp`` needs a mass.
    """

    parameters: Mapping[str, Any]
    clustered: bool = False
    indexed: bool = True
    rule: str | None = None
    rules: tuple[str, ...] = ("threshold", "topk", "topp")
    calibrated: bool = True

    @property
    def settings(self) -> tuple[str, ...]:
        """Keys below ``method.`` that mean something to it."""
        own = ("depth", "levels") if self.clustered else ()
        return ("name", *self.parameters, *own, *(CALIBRATIONS if self.rule else ()))


CALIBRATIONS = ("calibration_inputs", "calibration_pieces")
SIZES = {"sparsity": 0.9, "kv_budget": None, "kv_tokens": None}
BUDGETED = SIZES | {"dense_layers": 0, "question": "sparse"}
RULED = BUDGETED | {"scope": "model", "top_p": None, "block": None, "reduce": "mean"}
SCORED = BUDGETED | {"sinks": 0, "share": "uniform", "floor": 0.2, "beta": 20.0}
OBSERVING = {"observe": "window", "kernel": 5, "pool": "max", "group": "mean"}


def _ruled(rule: str = "topk", *, clustered: bool = False, **own: Any) -> Described:
    """A method that looks keys up by a rule."""
    return Described(RULED | {"rule": rule} | own, clustered, rule=rule)


def _uncalibrated(*, clustered: bool = False, **own: Any) -> Described:
    """A method that looks keys up and has no thresholds of its own."""
    known = _ruled(clustered=clustered, **own)
    return dataclasses.replace(known, rules=("topk", "topp"), calibrated=False)


def _scored(**own: Any) -> Described:
    """A static choice by a score of each key."""
    return Described(SCORED | own)


def _observing(**own: Any) -> Described:
    """A static choice by what a few queries attend to."""
    return Described(SCORED | OBSERVING | own)


def _budgeted(**own: Any) -> Described:
    """Another choice of so many keys."""
    return Described(BUDGETED | own)


TABLE = {
    "adakv": _observing(share="adaptive", queries=32, kernel=7),
    "cake": _observing(queries=32, pool="mean", gamma=200.0, tau1=1.0, tau2=1.0),
    "chunkkv": _observing(queries=64, kernel=1, chunk=20, first=None),
    "clusterkv": _uncalibrated(clustered=True, sinks=16),
    "criticalkv": _observing(queries=64, epsilon=1e-4, first=None),
    "double_sparsity": _uncalibrated(sinks=0, group_factor=2, bits=4),
    "duo_attention": _budgeted(pattern=None, sinks=64, local=256),
    "expected_attention": _scored(sinks=4, epsilon=0.0),
    "few_bits": _uncalibrated(sinks=0, bits=2, by="channel", group=32),
    "full": Described({}, indexed=False),
    "h2o": _budgeted(recent=0.5),
    "infllm": _uncalibrated(page=128, speakers=4, sinks=128),
    "keydiff": _scored(),
    "knorm": _scored(),
    "kvzip": _scored(sinks=4, share="together"),
    "lava": _observing(queries=32, kernel=7, group="max"),
    "loki": _uncalibrated(sinks=0, rank=None),
    "magicpig": _budgeted(bits=10, tables=150, sinks=4, seed=0),
    "multipole": _uncalibrated(clusters=0.0625, sinks=10, iterations=10, seed=0),
    "observed": _scored(),
    "oracle": _ruled(),
    "pqcache": _uncalibrated(sinks=32, parts=2, bits=6, iterations=10, seed=0),
    "pyramidkv": _observing(share="pyramid", queries=8, kernel=7),
    "quest": _uncalibrated(page=16),
    "random": _budgeted(seed=0),
    "retroinfer": _uncalibrated(clustered=True, sinks=4, estimated=0.232),
    "rocketkv": Described(
        RULED | {"rule": "topk", "queries": 32, "kernel": 63},
        rule="topk",
        rules=("topk",),
        calibrated=False,
    ),
    "shadowkv": _uncalibrated(reduce="max", chunk=8, outliers=48),
    "snapkv": _observing(queries=64),
    "sparq": _uncalibrated(sinks=0, rank=None, mean_value=False),
    "squeezed": _ruled(
        "threshold", clustered=True, coarse_sparsity=0.5, coarse_score="mean", residual=False
    ),
    "squeezed_best": _uncalibrated(
        clustered=True, sinks=0, bits=1.0, centroid_bits=8, base="centroid", weights="queries"
    ),
    "streaming": _budgeted(sinks=4),
    "tova": _scored(),
    "twilight": _budgeted(mass=0.85, bits=4, page=16, first=None),
    "vattention": _budgeted(
        sinks=128, heavy=0.5, base=0.025, error=0.1, risk=0.1, seed=0, first=None
    ),
}


def described(name: str) -> Described:
    """What a method has.

    Raises:
        InputError: no such method.
    """
    if name in TABLE:
        return TABLE[name]
    loaded = name in getattr(sys.modules.get("squeezed"), "METHODS", ())
    if not loaded and name not in _named_in_files():
        known = sorted({*TABLE, *_named_in_files()})
        raise InputError(f"unknown method {name!r}{meant(name, known) or f'; known: {known}'}")
    return of_class(name)


def of_class(name: str) -> Described:
    """What a method's class says of it. Imports the engine.

    Raises:
        InputError: no such class.
    """
    import squeezed

    if name not in squeezed.METHODS:
        raise InputError(f"unknown method {name!r}; known: {', '.join(sorted(squeezed.METHODS))}")
    found: Any = squeezed.METHODS[name]
    try:
        defaults: dict[str, Any] = vars(found())
    except TypeError:  # a parameter has no default
        defaults = {each.name: each.default for each in dataclasses.fields(found)}
    return Described(
        defaults, clustered=found.clustered, indexed=found.indexed, rule=defaults.get("rule")
    )


def _named_in_files() -> set[str]:
    """Names that a line ``name: NAME`` of a file in ``conf/method`` gives."""
    lines = (line for path in FILES.glob("*.yaml") for line in path.read_text().splitlines())
    return {line.partition(":")[2].split("#")[0].strip() for line in lines if line[:5] == "name:"}
