"""What a task of the bench is: settings of its own, rows, scores, and rules for generating.

A new task is one file here with a subclass of ``Task``, its line in ``bench.tasks``, and
``conf/task/NAME.yaml``, which begins with the task's schema::

    defaults:
      - NAME_schema
      - _self_
    name: NAME

What is decided where: ``Task.spec`` turns the settings of one run into a frozen ``TaskSpec`` (no
model, no tokenizer, so it is fast); everything after it sees the spec only. The spec's values are
the run's identity, so two runs share records exactly if their specs are equal.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from bench.config.errors import InputError
from bench.config.schema import TaskConf
from bench.config.spec import TaskSpec
from rows.row import Row

Conf = TypeVar("Conf", bound=TaskConf)
Spec = TypeVar("Spec", bound=TaskSpec)


@dataclass(frozen=True)
class Rules:
    """How the answer to one row is generated.

    Attributes:
        max_new_tokens: tokens generated at most.
        stop_ids: tokens that end the answer, besides the model's own. min_new_tokens: none ends it before.
        chat: the prompt is put into the tokenizer's chat template: its opening before the fixed
            context, its closing between the question and the answer prefix. All rows of one context
            must agree.
    """

    max_new_tokens: int
    stop_ids: tuple[int, ...] = ()
    min_new_tokens: int = 1
    chat: bool = False


def by_context(rows: Iterable[Row]) -> tuple[int, int]:
    """Of rows that are there: how many contexts they have, and how many questions each has at least."""
    counts = Counter(row.context for row in rows)
    return len(counts), min(counts.values())


class Task(ABC, Generic[Conf, Spec]):
    """A task: from settings to rows, and from predictions to scores.

    Attributes:
        name: as in ``task=NAME``.
        conf: its Hydra schema, a dataclass that extends ``bench.config.schema.TaskConf``.
        meta_kept: fields of a row's ``meta`` that go into its record.
    """

    name: ClassVar[str]
    conf: ClassVar[type[TaskConf]]
    meta_kept: ClassVar[tuple[str, ...]] = ("prompts",)

    @abstractmethod
    def spec(self, config: Conf) -> Spec:
        """The settings, checked and decided, paths replaced by fingerprints of what they hold.

        Raises:
            ValueError, FileNotFoundError: a setting cannot work; names it as ``task.FIELD``.
        """

    @abstractmethod
    def rows(self, spec: Spec, tokenizer: Any) -> Iterable[Row]:
        """The rows in order, each id once. Rows with one ``context`` share one prefill.

        Raises:
            InputError: the settings do not work with this tokenizer.
        """

    @abstractmethod
    def score(self, spec: Spec, row: Row, prediction: str) -> dict[str, float]:
        """Scores of one prediction: the task's main metric, in [0, 1], as ``score``, and others by
        their names. All of them go into the record, and each into the tables."""

    def check(self, spec: Spec, tokenizer: Any) -> None:
        """Finds what only the tokenizer can tell, before the model is loaded.

        Raises:
            InputError: as ``rows``, of which it asks the first.
        """
        if next(iter(self.rows(spec, tokenizer)), None) is None:
            raise InputError(f"task {spec.label} has no row with these settings")

    def rules(self, spec: Spec, row: Row, tokenizer: Any) -> Rules:
        """How to generate the answer; here what the settings say, or the row, and no template."""
        return Rules(spec.max_new_tokens or row.max_new_tokens)

    def cut(self, spec: Spec, ids: list[int], reserved: int) -> tuple[list[int], int]:
        """The ids of a fixed context, cut to what the task allows, and the number cut; here all.

        Args:
            ids: of ``row.context`` alone, without BOS and chat template.
            reserved: tokens of everything else: BOS, template, longest user input, answer.
        """
        return ids, 0
