"""The keys of a command: which there are, which one was meant, and values that hold blanks, ``=`` and commas.

A command line is ``key=value ...`` in every command of the suite. Nothing here imports Hydra.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

# Hydra's own ways to say several values, which stay as they are.
_FUNCTION = re.compile(r"(choice|range|interval|glob|sort|shuffle|tag|str|int|float|bool)\(.*\)")


class SettingError(ValueError):
    """A setting that a command does not take; the message is one line."""


def keys_of(settings: type, prefix: str = "") -> dict[str, Any]:
    """The keys of a dataclass with their types; those of a dataclass inside it with a dot."""
    hints = typing.get_type_hints(settings)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            found |= keys_of(kind, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = kind
    return found


def is_text(kind: Any) -> bool:
    """Whether a setting of this type is text, or text and null."""
    if isinstance(kind, types.UnionType):
        return set(typing.get_args(kind)) == {str, types.NoneType}
    return kind is str


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` if a known name is close to the word, else nothing."""
    group, dot, last = word.rpartition(".")
    known = list(known)
    # Inside a group the common beginning says nothing; outside, the last part alone may be right.
    inside = {
        name[len(group) + 1 :]: name for name in known if dot and name.startswith(group + dot)
    }
    anywhere = {name.rpartition(".")[2]: name for name in reversed(known)}
    places = [(last, inside)] if inside else [(word, {name: name for name in known})]
    for wanted, names in (*places, (last, anywhere)):
        close = difflib.get_close_matches(wanted, names, n=1)
        if close:
            return f"; did you mean {names[close[0]]}?"
    return ""


def split(argument: str) -> tuple[str, str, str, str]:
    """Hydra's mark (``+``, ``++``, ``~`` or nothing), the key, ``=`` if there is one, and the value."""
    bare = argument.lstrip("+~")
    key, equals, value = bare.partition("=")
    return argument[: len(argument) - len(bare)], key, equals, value


def quoted(argument: str, keys: Mapping[str, Any], *, several: bool, whole: Iterable[str]) -> str:
    """An argument whose value Hydra takes as it is, if its key is of text.

    Args:
        keys: with their types. several: commas stand between values of a sweep, except in the
            values of ``whole``.
    """
    mark, key, equals, value = split(argument)
    if not equals or not is_text(keys.get(key)) or not _plain(value):
        return argument
    parts = value.split(",") if several and key not in whole else [value]
    return f"{mark}{key}=" + ",".join(
        part if not _plain(part) else _in_quotes(part) for part in parts
    )


def _plain(value: str) -> bool:
    """Whether a value is meant as it stands: no null, no interpolation, not in quotes already."""
    special = value in ("", "null") or "${" in value or value[0] in "'\""
    return not special and not _FUNCTION.fullmatch(value)


def _in_quotes(value: str) -> str:
    # In Hydra's quotes a backslash is itself, except before a quote and at the end.
    escaped = re.sub(r'(\\*)("|\Z)', lambda m: m[1] * 2 + (m[2] and f"\\{m[2]}"), value)
    return f'"{escaped}"'
