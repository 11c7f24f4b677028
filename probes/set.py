"""What a set is; each is one file in ``probes/sets``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from probes.sample import Draw, Kind, Request
from rows.row import Row


@dataclass(frozen=True)
class ProbeSet:
    """A set.

    Attributes:
        name: as in ``set=NAME``. about: what it tests. floor: in words, what guessing gets.
        kinds: of questions; a set with several has a subtask for each, on the same contexts.
        draw: all random choices of one sample; errors of it are mistakes, not the user's.
        scores: of a prediction, each in [0, 1]: ``score``, which tables show, and others.
        options: with their defaults. ``turns``: earlier questions are in the user input, with gold answers.
        shortest: tokens of the embedded tokenizer that hold one question of each kind, with some filler.
        known: the values that an option takes, where they are few.
        data: of sets that are made from something that is installed: what it is, which goes into every row.
    """

    name: str
    about: str
    floor: str
    kinds: tuple[Kind, ...]
    draw: Callable[[Request], Draw]
    scores: Callable[[Row, str], dict[str, float]]
    options: Mapping[str, Any]
    shortest: int
    known: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    data: Callable[[], Mapping[str, str]] = dict
