"""The sets and their subtasks by name."""

import functools
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from probes import sets as room
from probes.sample import Kind
from probes.set import ProbeSet

# A key of five letters has 125 neighbours, and other keys may be among them.
MOST = {"near": 100, "lead": 1000}


@functools.cache
def sets() -> dict[str, ProbeSet]:
    """All sets by name, found by their files."""
    modules = [
        import_module(f"{room.__name__}.{each.name}")
        for each in pkgutil.iter_modules(room.__path__)
    ]
    return {each.SET.name: each.SET for each in modules if hasattr(each, "SET")}


@dataclass(frozen=True)
class Subtask:
    """Questions of one kind, or of all kinds of a set. ``options``: all of the set's, with their values."""

    set: ProbeSet
    kinds: tuple[Kind, ...]
    options: Mapping[str, Any]
    name: str

    @property
    def changed(self) -> dict[str, Any]:
        """The options that are not the set's own."""
        return {k: v for k, v in self.options.items() if v != self.set.options[k]}

    @property
    def label(self) -> str:
        """The name in results: with what was changed."""
        changed = self.changed.items()
        values = [(k, v if isinstance(v, str) else f"{k}{v}") for k, v in changed]
        return "-".join([self.name, *(str(value) for _, value in values)])

    def questions(self, count: int) -> int:
        """Questions on a context, with ``count`` of each kind where that many are possible."""
        return sum(count if each.most is None else min(count, each.most) for each in self.kinds)


def subtask_names() -> list[str]:
    """All subtasks: the sets, and the kinds of those with several."""
    names = []
    for each in sets().values():
        names.append(each.name)
        names += [f"{each.name}_{kind.name}" for kind in each.kinds if len(each.kinds) > 1]
    return names


def find(name: str, options: Mapping[str, Any]) -> Subtask:
    """A subtask by name, with options other than the set's own.

    Raises:
        ValueError: no such subtask, an option that the set has not, or a value that cannot work.
    """
    found = next(
        (each for each in sets().values() if name == each.name or name in _kinds(each)), None
    )
    if found is None:
        raise ValueError(f"unknown subtask {name!r}; known: {', '.join(subtask_names())}")
    for option, value in options.items():
        if option not in found.options:
            known = ", ".join(found.options) or "none"
            raise ValueError(f"{option}: set {found.name} has no such option; it has {known}")
        _check(option, value, found)
    kinds = found.kinds if name == found.name else (_kinds(found)[name],)
    return Subtask(found, kinds, {**found.options, **options}, name)


def _kinds(found: ProbeSet) -> dict[str, Kind]:
    return {f"{found.name}_{kind.name}": kind for kind in found.kinds}


def _check(option: str, value: Any, found: ProbeSet) -> None:
    wanted = found.known.get(option)
    if wanted is not None and value not in wanted:
        raise ValueError(f"{option} is {value!r}; expected one of {', '.join(map(str, wanted))}")
    least = {"near": 0, "turns": 1}.get(option, 1)
    if isinstance(value, int) and value < least:
        raise ValueError(f"{option} is {value}; expected at least {least}")
    if option in MOST and value > MOST[option]:
        raise ValueError(f"{option} is {value}; expected at most {MOST[option]}")
