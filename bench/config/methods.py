"""What the engine's methods have, known without importing the engine, which takes seconds.

A wrong setting is refused at once. A test holds the table equal to the classes of ``squeezed.METHODS``; a
method that is not in it is asked itself, so a new one works without an entry, and is refused later.
"""

import dataclasses
import sys
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
        parameters: its settings by name. clustered, indexed: as ``squeezed.Method`` says.
        rule: that it selects by if none is asked for; None: it has no rules. rules: that it knows.
        calibrated: it has thresholds of its own; without them ``topp`` needs a mass.
    """

    parameters: tuple[str, ...]
    clustered: bool = False
    indexed: bool = True
    rule: str | None = None
    rules: tuple[str, ...] = ("threshold", "topk", "topp")
    calibrated: bool = True

    @property
    def settings(self) -> tuple[str, ...]:
        """Keys below ``method.`` that mean something to it."""
        own = ("depth", "levels") if self.clustered else ()
        return ("name", *self.parameters, *own, *(("calibration_inputs",) if self.rule else ()))


SIZES = ("sparsity", "kv_budget", "kv_tokens")
BUDGETED = (*SIZES, "dense_layers", "question")
RULED = (*BUDGETED, "rule", "scope", "top_p", "block", "reduce")
SCORED = (*BUDGETED, "sinks", "share", "floor", "beta")
WINDOW = (*SCORED, "observe", "queries", "kernel", "pool", "group")


def _uncalibrated(*parameters: str, clustered: bool = False) -> Described:
    """A method that looks keys up and has no thresholds of its own."""
    rules = ("topk", "topp")
    return Described(parameters, clustered, rule="topk", rules=rules, calibrated=False)


TABLE = {
    "adakv": Described(WINDOW),
    "cake": Described((*WINDOW, "gamma", "tau1", "tau2")),
    "chunkkv": Described((*WINDOW, "chunk")),
    "clusterkv": _uncalibrated(*RULED, "sinks", clustered=True),
    "criticalkv": Described((*WINDOW, "epsilon")),
    "double_sparsity": _uncalibrated(*RULED, "sinks", "group_factor", "bits"),
    "duo_attention": Described((*BUDGETED, "pattern", "sinks", "local")),
    "expected_attention": Described((*SCORED, "epsilon")),
    "few_bits": _uncalibrated(*RULED, "sinks", "bits", "by", "group"),
    "full": Described((), indexed=False),
    "h2o": Described((*BUDGETED, "recent")),
    "infllm": _uncalibrated(*RULED, "page", "speakers", "sinks"),
    "keydiff": Described(SCORED),
    "knorm": Described(SCORED),
    "kvzip": Described(SCORED),
    "lava": Described(WINDOW),
    "loki": _uncalibrated(*RULED, "sinks", "rank"),
    "magicpig": Described((*BUDGETED, "bits", "tables", "sinks", "seed")),
    "observed": Described(SCORED),
    "oracle": Described(RULED, rule="topk"),
    "pqcache": _uncalibrated(*RULED, "sinks", "parts", "bits", "iterations", "seed"),
    "pyramidkv": Described(WINDOW),
    "quest": _uncalibrated(*RULED, "page"),
    "random": Described((*BUDGETED, "seed")),
    "retroinfer": _uncalibrated(*RULED, "sinks", "estimated", clustered=True),
    "rocketkv": Described(
        (*RULED, "queries", "kernel"), rule="topk", rules=("topk",), calibrated=False
    ),
    "shadowkv": _uncalibrated(*RULED, "chunk", "outliers"),
    "snapkv": Described(WINDOW),
    "sparq": _uncalibrated(*RULED, "sinks", "rank"),
    "squeezed": Described(
        (*RULED, "coarse_sparsity", "coarse_score", "residual"), clustered=True, rule="threshold"
    ),
    "streaming": Described((*BUDGETED, "sinks")),
    "tova": Described(SCORED),
    "twilight": Described((*BUDGETED, "mass", "bits", "page", "first")),
    "vattention": Described(
        (*BUDGETED, "sinks", "heavy", "base", "error", "risk", "seed", "first")
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
    defaults: dict[str, Any] = {each.name: each.default for each in dataclasses.fields(found)}
    return Described(
        tuple(defaults), clustered=found.clustered, indexed=found.indexed, rule=defaults.get("rule")
    )


def _named_in_files() -> set[str]:
    """Names that a line ``name: NAME`` of a file in ``conf/method`` gives."""
    lines = (line for path in FILES.glob("*.yaml") for line in path.read_text().splitlines())
    return {line.partition(":")[2].split("#")[0].strip() for line in lines if line[:5] == "name:"}
