"""Commands whose settings need no Hydra: ``key=value`` into a typed dataclass, with ``--help``.

The language is that of a run: ``null``, ``true`` and ``false``, lists as ``[a,b]`` or ``a,b``, quotes where a
value begins or ends with a blank. A text is taken as it is.
"""

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.errors import InputError
from bench.config.guard import guarded
from rows.keys import keys_of, meant

HELP = ("-h", "--help")
WORDS = {"true": True, "false": False}


def setting(default: Any, about: str, known: Sequence[str] = ()) -> Any:
    """A field of settings: its default (a list is copied), what it means, and the values that it takes."""
    meta = {"about": about, "known": tuple(known)}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


@dataclass(frozen=True)
class Plain:
    """A command.

    Attributes:
        name: after ``squeezed-bench``. module: after ``python -m``; None: no such form.
        settings: the dataclass of its keys.
        work: does it; returns the exit code, or None for 0. about: what it is for, for the help page.
        examples: settings worth showing. kept: what is there after Ctrl-C.
    """

    name: str
    module: str | None
    settings: type
    work: Callable[[Any], int | None]
    about: str
    examples: tuple[str, ...] = ()
    kept: str = "nothing is lost; the same command does it again"

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command line; returns the exit code."""
        given = sys.argv[1:] if arguments is None else arguments

        def work() -> int | None:
            if any(each in HELP for each in given):
                print(self.page())
                return 0
            return self.work(parse(given, self.settings))

        return guarded(work, self.kept)

    def page(self) -> str:
        """The help page."""
        form = "" if self.module is None else f", or python -m {self.module} [key=value ...]"
        lines = [
            f"squeezed-bench {self.name} [key=value ...]{form}",
            *("", self.about.strip(), "", "Keys and their values here:", ""),
        ]
        fields = dataclasses.fields(self.settings)
        shown = {each.name: f"{each.name}={_shown(_default(each))}" for each in fields}
        width = max(map(len, shown.values()))
        for each in fields:
            known = each.metadata["known"]
            names = f": {', '.join(known)}" if known else ""
            lines.append(f"  {shown[each.name]:<{width}}  {each.metadata['about']}{names}")
        if self.examples:
            lines += [
                "",
                "Examples:",
                *(f"  squeezed-bench {self.name} {e}" for e in self.examples),
            ]
        return "\n".join(lines)


def parse(arguments: Sequence[str], settings: type) -> Any:
    """The settings that a command line gives, each key and value checked.

    Raises:
        InputError: an unknown key, a value of another type, or a key that must be given and is not.
    """
    kinds, given = keys_of(settings), {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in kinds:
            hint = meant(key.lstrip("-+"), kinds) or f"; known: {', '.join(kinds)}"
            raise InputError(f"unknown key {key!r}{hint}")
        if not equals:
            raise InputError(f"{key} has no value; a setting is written {key}=VALUE")
        given[key] = _value(key, value, kinds[key])
    for each in dataclasses.fields(settings):
        if each.name not in given and _default(each) is dataclasses.MISSING:
            raise InputError(
                f"{each.name} is missing: {each.metadata['about']}; say {each.name}=VALUE"
            )
        _check_known(each.name, given.get(each.name), each.metadata["known"])
    return settings(**given)


def _check_known(key: str, value: Any, known: Sequence[str]) -> None:
    for item in value if isinstance(value, list) else [value]:
        if known and item is not None and item not in known:
            hint = meant(str(item), known) or f"; expected one of {', '.join(known)}"
            raise InputError(f"{key} is {item!r}{hint}")


def _value(key: str, text: str, kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        if text == "null":
            return None
        (kind,) = (each for each in typing.get_args(kind) if each is not types.NoneType)
    if typing.get_origin(kind) is list:
        (item,) = typing.get_args(kind)
        inner = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
        return [_value(key, each.strip(), item) for each in inner.split(",") if each.strip()]
    if len(text) > 1 and text[0] in "'\"" and text[0] == text[-1]:
        text = text[1:-1]
    if kind is Path:
        if not text:
            raise InputError(f"{key} is empty; expected a path")
        return Path(text).expanduser()
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in WORDS:
            raise InputError(f"{key} is {text!r}; expected true or false")
        return WORDS[text.lower()]
    try:
        return kind(text)
    except ValueError as error:
        name = {int: "a whole number", float: "a number"}[kind]
        raise InputError(f"{key} is {text!r}; expected {name}") from error


def _default(field: Any) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def _shown(value: Any) -> str:
    if value is dataclasses.MISSING:
        return "VALUE"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return "null" if value is None else str(value)


def records_below(results: Path) -> Path:
    """The folder of records below a folder of results.

    Raises:
        InputError: there is none.
    """
    runs = results / "runs"
    if not runs.is_dir():
        raise InputError(f"no folder {runs}; run squeezed-bench run first, or give results=DIR")
    return runs
