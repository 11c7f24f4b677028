"""The command line of a run: its flags, and its ``key=value`` settings with every key known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.errors import InputError
from bench.config.schema import Config, TaskConf
from bench.tasks import TASKS
from rows.compose import CONF
from rows.keys import keys_of, meant, quoted, split

GROUPS = ("model", "task", "method", "experiment")  # whose value is the name of a file
OWN = "method.own."  # parameters of methods that have others than all; only the method knows them
WHOLE = ("results", "cache_dir")  # one folder each, whatever is in its name
FLAGS = {"-m": "multirun", "--multirun": "multirun", "-h": "help", "--help": "help"}


@dataclass(frozen=True)
class Arguments:
    """What a command line says.

    Attributes:
        overrides: as Hydra takes them. given: the keys among them that have a value.
        multirun: it asks for a sweep. help: it asks for the help page.
    """

    overrides: tuple[str, ...]
    given: frozenset[str]
    multirun: bool
    help: bool


def known_keys() -> dict[str, Any]:
    """Every key of a run with its type; those of all tasks together."""
    known = {key: kind for key, kind in keys_of(Config).items() if not key.startswith("task.")}
    confs: list[type[TaskConf]] = [task.conf for task in TASKS.values()]
    return known | {key: kind for conf in confs for key, kind in keys_of(conf, "task.").items()}


def read(arguments: Sequence[str]) -> Arguments:
    """The command line, with every key and every name of a file checked.

    Raises:
        InputError: an unknown flag, key or name; says which one may be meant.
    """
    flags, settings = set(), []
    for each in arguments:
        if each in FLAGS:
            flags.add(FLAGS[each])
        elif each.startswith("-"):
            raise InputError(f"unknown flag {each}; there are -m (a sweep) and --help")
        else:
            settings.append(each)
    keys = known_keys()
    several = "multirun" in flags or any(_asks_for_a_sweep(each) for each in settings)
    overrides = tuple(_checked(each, keys, several) for each in settings)
    given = frozenset(split(each)[1] for each in settings if not each.startswith("~"))
    return Arguments(overrides, given, "multirun" in flags, "help" in flags)


def _asks_for_a_sweep(argument: str) -> bool:
    _, key, _, value = split(argument)
    return (key == "experiment" and value != "null") or (key, value) == ("hydra.mode", "MULTIRUN")


def _checked(argument: str, keys: dict[str, Any], several: bool) -> str:
    mark, key, equals, value = split(argument)
    if key.startswith(("hydra.", "hydra/", OWN)):
        return argument
    group = key.removeprefix("/").partition("@")[0]
    if key not in keys and group not in GROUPS:
        word = f"; a setting is written {key}=VALUE" if not equals and mark != "~" else ""
        raise InputError(f"unknown key {key!r}{meant(key, (*keys, *GROUPS)) or word}")
    if not equals and mark != "~":
        raise InputError(f"{key} has no value; a setting is written {key}=VALUE")
    if group in GROUPS:
        _check_names(group, value, several)
    if mark == "~":
        return argument
    if key in WHOLE and value.startswith("~"):  # which a shell leaves alone after key=
        value = str(Path(value).expanduser())
    return quoted(f"{key}={value}", keys, several=several, whole=WHOLE)


def _check_names(group: str, value: str, several: bool) -> None:
    known = choices(group)
    names = value.split(",") if value and not value.endswith(")") else []
    if len(names) > 1 and not several:
        raise InputError(f"{group}={value} has several values; -m runs each of them")
    for name in names:
        if name not in known and name != "null":
            hint = meant(name, known) or f"; known: {', '.join(known)}"
            raise InputError(f"there is no {group} {name!r}{hint}")


def choices(group: str) -> list[str]:
    """The names of a group's files."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
