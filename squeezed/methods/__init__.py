"""The methods by name: a new one is one file here, named as it is, and one YAML in ``conf/method``."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from squeezed.context.data import Context
from squeezed.methods.base import BudgetedMethod, Method, Size
from squeezed.methods.full import Full
from squeezed.methods.h2o import H2O
from squeezed.methods.oracle import Oracle
from squeezed.methods.quest import Quest
from squeezed.methods.random import Random
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.snapkv import SnapKV
from squeezed.methods.squeezed import Squeezed
from squeezed.methods.streaming import StreamingLLM
from squeezed.selection.kept import Selection, StandIns
from squeezed.selection.selectors import Selector, Static, best_rows


def _found() -> Iterator[tuple[str, type[Method]]]:
    """The method of each file of this folder, by the file's name.

    Raises:
        TypeError: a file with two methods, which would both have its name.
    """
    for file in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{file.name}")
        own = [
            each
            for each in vars(module).values()
            if inspect.isclass(each) and each.__module__ == module.__name__
            if issubclass(each, Method) and not inspect.isabstract(each)
        ]
        if len(own) > 1:
            names = ", ".join(each.__name__ for each in own)
            raise TypeError(f"{module.__name__} has the methods {names}; expected one a file")
        yield from ((file.name, each) for each in own)


METHODS: dict[str, type[Method]] = dict(_found())

__all__ = [
    "H2O",
    "METHODS",
    "BudgetedMethod",
    "Context",
    "Full",
    "Method",
    "Oracle",
    "Quest",
    "Random",
    "Rule",
    "RuledMethod",
    "Selection",
    "Selector",
    "Size",
    "SnapKV",
    "Squeezed",
    "StandIns",
    "Static",
    "StreamingLLM",
    "best_rows",
]
