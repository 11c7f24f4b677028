"""The tasks of the bench by name; each is one file here and one YAML in ``conf/task``."""

from typing import Any

from bench.config.errors import InputError
from bench.tasks.base import Task
from bench.tasks.longbench import LongBench
from bench.tasks.prefixqa import PrefixQA
from bench.tasks.ruler import Ruler

TASKS: dict[str, Task[Any, Any]] = {task.name: task for task in (Ruler(), LongBench(), PrefixQA())}


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
