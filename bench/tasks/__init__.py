"""The tasks of the bench by name; a new one is one file here and one YAML in ``conf/task``."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from bench.config.errors import InputError
from bench.tasks.base import Task


def _found() -> Iterator[tuple[str, Task[Any, Any]]]:
    """The task of each file of this folder, by its name."""
    for file in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{file.name}")
        for each in vars(module).values():
            own = inspect.isclass(each) and each.__module__ == module.__name__
            if own and issubclass(each, Task) and not inspect.isabstract(each):
                yield each.name, each()


TASKS: dict[str, Task[Any, Any]] = dict(_found())


def get_task(name: str) -> Task[Any, Any]:
    """The task of that name.

    Raises:
        InputError: no such task.
    """
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]


def register() -> None:
    """Makes every task's schema known to Hydra, as ``task/NAME_schema``."""
    from hydra.core.config_store import (
        ConfigStore,
    )  # late: what tasks there are is asked without it

    for task in TASKS.values():
        ConfigStore.instance().store(group="task", name=f"{task.name}_schema", node=task.conf)
