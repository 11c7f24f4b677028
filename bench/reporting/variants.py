"""What tells two runs of one method apart, in words: no two variants share a line or a marker."""

import dataclasses
from typing import Any

import pandas as pd

from bench.config.errors import InputError
from bench.config.methods import described
from bench.config.schema import IndexConf
from bench.config.values import LEVELS

DENSE = "full"  # the method that reads everything, and that others are compared with
SIZES = ("sparsity", "kv_budget", "kv_tokens", "top_p")
# Columns that name a method with its settings; ``asked`` is the size that was asked for.
METHOD = ["method", "rule", "depth", "variant", "asked"]
OWN_LENGTHS = "own lengths"  # where every context has another
OWN_COLUMNS = {"name", "rule", "depth", *SIZES}


def variant(identity: dict[str, Any]) -> str:
    """A run's settings that differ from the engine's defaults and have no column of their own.

    For instance ``coarse_sparsity=0.8, residual=True``; empty where all are the defaults.
    """
    method, index = identity["method"], identity.get("index", {})
    try:
        known = described(method["name"]).parameters
    except InputError:  # a method that this version no longer has: all is told
        known = {}
    found = {
        name: value
        for name, value in method.items()
        if name not in OWN_COLUMNS and value != _plain(known.get(name))
    }
    return ", ".join(
        f"{name}={_text(value)}" for name, value in sorted((found | _index(index, method)).items())
    )


def asked(method: dict[str, Any]) -> str:
    """The size that was asked for, in words: ``sparsity 0.9``."""
    for name in SIZES:
        if name in method:
            return f"{name} {method[name]:g}"
    return ""


def labels(table: pd.DataFrame, *, size: bool = False) -> pd.Series:
    """One name for each row's method, rule, depth and variant; with ``size`` also what was asked."""
    # Row by row: a column without a single value, or no row at all, would be taken for numbers.
    rows = table[METHOD].assign(**({} if size else {"asked": ""}))
    names = [_label(*row) for row in rows.itertuples(index=False, name=None)]
    return pd.Series(names, index=table.index, dtype=object)


def lengths(table: pd.DataFrame) -> pd.Series:
    """The length of each row's contexts in words; those of some tasks have lengths of their own."""
    words = [OWN_LENGTHS if pd.isna(n) else f"{int(n)} tokens" for n in table["context_length"]]
    return pd.Series(words, index=table.index, dtype=object)


def _label(method: Any, rule: Any, depth: Any, variant: Any, asked: Any) -> str:  # as METHOD
    name = " ".join(str(part) for part in (method, rule) if pd.notna(part) and part)
    if pd.notna(depth) and depth > 1:
        name += f" depth {int(depth)}"
    more = [str(part) for part in (variant, asked) if pd.notna(part) and part]
    return ", ".join([name, *more])


def _index(index: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    """Settings of the index that differ from the defaults."""
    defaults = {field.name: field.default for field in dataclasses.fields(IndexConf)}
    names = {"seed": "index_seed"}  # methods have a seed too
    found = {
        names.get(name, name): index[name]
        for name, default in defaults.items()
        if index.get(name, default) != default
    }
    shares = tuple(index.get("levels", ()))
    if shares and shares != LEVELS.get(method.get("depth", len(shares))):
        found["levels"] = list(shares)
    return found


def _plain(value: Any) -> Any:
    """A default as JSON would give it back."""
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return "/".join(f"{each:g}" for each in value) if isinstance(value, list) else str(value)
