"""Values of a method's and an index's settings that cannot be, told without the engine.

The engine refuses them too, where it is used without the bench; a test holds both to the same values.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from bench.config.errors import InputError
from bench.config.methods import SIZES, described
from bench.config.schema import IndexConf, MethodConf

# Shares of the clustered keys that become centroids, coarse to fine, for each depth.
LEVELS: dict[int, tuple[float, ...]] = {1: (0.05,), 2: (0.01, 0.05), 3: (0.002, 0.01, 0.05)}
STRATEGIES = ("bottom-up", "top-down")
CHOICES = {
    "rule": ("threshold", "topk", "topp"),
    "scope": ("model", "layer", "head"),
    "reduce": ("mean", "max"),
    "coarse_score": ("mean", "spread"),
    "question": ("sparse", "dense"),
    "observe": ("window", "input"),
}
# What must hold of a number, and how that is said.
NUMBERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "sparsity": (lambda x: 0 <= x < 1, "a share in [0, 1), 0.9 drops 90 % of the keys"),
    "kv_budget": (lambda x: 0 < x <= 1, "a share in (0, 1]"),
    "kv_tokens": (lambda x: x >= 1, "at least 1"),
    "dense_layers": (lambda x: x >= 0, "0 or more"),
    "top_p": (lambda x: 0 < x <= 1, "a probability mass in (0, 1]"),
    "block": (lambda x: x >= 1, "at least 1 query token"),
    "sinks": (lambda x: x >= 0, "0 or more"),
    "page": (lambda x: x >= 1, "at least 1 key"),
    "queries": (lambda x: x >= 1, "at least 1"),
    "kernel": (lambda x: x >= 1 and x % 2 == 1, "an odd width of at least 1"),
    "recent": (lambda x: 0 <= x <= 1, "a share in [0, 1]"),
    "calibration_inputs": (lambda x: x >= 0, "0 or more questions"),
    "calibration_pieces": (lambda x: x >= 0, "0 or more pieces of the document"),
}


def thresholds(config: MethodConf) -> bool:
    """Whether a method has thresholds to calibrate: ``topk`` and a mass of its own have none."""
    own = described(config.name).rule
    return own is not None and (config.rule or own) != "topk" and config.top_p is None


def check_method(config: MethodConf) -> None:
    """Checks every value, also of settings that the method does not have, and what goes together.

    Raises:
        InputError: names the setting, the value seen and what is expected.
    """
    method = described(config.name)
    for name, known in CHOICES.items():
        value = getattr(config, name)
        if value is not None and value not in known:
            raise InputError(f"method.{name} is {value!r}; expected one of {', '.join(known)}")
    for name, (holds, expected) in NUMBERS.items():
        value = getattr(config, name)
        if value is not None and not holds(value):
            raise InputError(f"method.{name} is {value}; expected {expected}")
    shares, drops = levels(config), coarse_drops(config.coarse_sparsity)
    if method.clustered and isinstance(drops, tuple) and len(drops) != len(shares) - 1 > 0:
        raise InputError(
            f"method.coarse_sparsity has {len(drops)} shares, and the hierarchy {len(shares)} levels; "
            f"expected {len(shares) - 1}"
        )
    _check_together(
        {n: getattr(config, n) for n in method.parameters if hasattr(config, n)}, config
    )


def _check_together(given: dict[str, Any], config: MethodConf) -> None:
    """What the method's own settings may not say at once; those that it does not have say nothing."""
    method = described(config.name)
    sizes = [name for name in SIZES if given.get(name) is not None]
    if len(sizes) > 1:
        raise InputError(
            f"method.{' and method.'.join(sizes)} are both given; ask for a size in one way only"
        )
    if given.get("observe") == "input" and config.name != "snapkv":
        raise InputError(
            f"method.observe is 'input', which only snapkv can; {config.name} compares what a user input's "
            "layers have not computed yet: use method.observe=window"
        )
    rule, mass = given.get("rule") or method.rule, given.get("top_p")
    if rule is None:
        return
    if mass is not None and rule != "topp":
        raise InputError(f"method.top_p is given, but the rule is {rule!r}; use method.rule=topp")
    if mass is not None and sizes:
        raise InputError("method.top_p is given beside a size; ask for one of them")
    if rule not in method.rules or (rule == "topp" and mass is None and not method.calibrated):
        raise InputError(
            f"method.rule is {rule!r}, which {config.name} has no calibration for; use topk, or topp with "
            "method.top_p"
        )


def check_index(index: IndexConf) -> None:
    """Checks a window or a clustering that cannot be.

    Raises:
        InputError: names the setting.
    """
    if index.window < 1:
        raise InputError(f"index.window is {index.window}; expected at least 1")
    if index.strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise InputError(f"index.strategy is {index.strategy!r}; expected one of {known}")
    if index.balance is not None and index.balance < 1:
        raise InputError(
            f"index.balance is {index.balance}; expected at least 1 times the mean size"
        )


def levels(config: MethodConf) -> tuple[float, ...]:
    """Shares of the keys that become centroids, coarse to fine.

    Raises:
        InputError: no hierarchy of that depth, or shares out of range.
    """
    if config.levels is None:
        if config.depth not in LEVELS:
            known = ", ".join(map(str, LEVELS))
            raise InputError(
                f"method.depth is {config.depth}; expected one of {known}, or set method.levels=[...]"
            )
        return LEVELS[config.depth]
    shares = tuple(float(each) for each in config.levels)
    if not shares or any(not 0 < each <= 1 for each in shares):
        raise InputError(
            f"method.levels is {shares}; expected shares of the keys in (0, 1], like [0.05]"
        )
    if any(coarse >= fine for coarse, fine in itertools.pairwise(shares)):
        raise InputError(
            f"method.levels is {shares}; expected coarse to fine, each larger than the one before"
        )
    return shares


def coarse_drops(value: Any) -> float | tuple[float, ...] | None:
    """``coarse_sparsity`` as the engine takes it.

    Raises:
        InputError: no share or list of shares, out of range, or falling.
    """
    if value is None:
        return None
    shares = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in shares)
    if not numbers or any(not 0 <= x < 1 for x in shares) or list(shares) != sorted(shares):
        raise InputError(
            f"method.coarse_sparsity is {value}; expected shares in [0, 1), not falling"
        )
    return tuple(shares) if shares is value else value
