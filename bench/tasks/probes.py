"""Made sets that each test one thing, in the bench; the rows are the package ``probes``'s."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from bench.config.errors import InputError
from bench.config.schema import TaskConf
from bench.config.spec import TaskSpec
from bench.tasks.base import Rules, Task
from probes.config import OptionsConf
from probes.find import find, sets
from probes.generate import TASK, generate
from probes.plan import GENERATOR
from rows.row import Row


@dataclass
class ProbesConf(OptionsConf, TaskConf):
    """Which rows are asked.

    Attributes:
        subtask: a set, or one kind of its questions; ``squeezed-bench data list`` names them.
        length: tokens of a whole row, answer included. samples: contexts.
        questions_per_context: of each kind.
        empty: ask on a short context without evidence, to see what guessing gets.
        chat: ask in the tokenizer's chat template.
    """

    name: str = TASK
    subtask: str = "kv"
    length: int = 4096
    samples: int = 5
    questions_per_context: int = 20
    seed: int = 0
    empty: bool = False
    chat: bool = False


@dataclass(frozen=True, kw_only=True)
class ProbesSpec(TaskSpec):
    """Fields as in ``ProbesConf``. ``each``: questions of each kind. ``generator``: version of the rows'."""

    subtask: str
    each: int
    empty: bool
    chat: bool
    generator: str


class Probes(Task[ProbesConf, ProbesSpec]):
    """The made sets; each has scores of its own (``probes.sets``)."""

    name: ClassVar[str] = TASK
    conf: ClassVar[type[TaskConf]] = ProbesConf
    meta_kept = (
        *("prompts", "set", "kind", "density", "evidence_tokens", "depth", "floor", "hops"),
        *("total_tokens", "generator"),
    )

    def spec(self, config: ProbesConf) -> ProbesSpec:
        for name in ("length", "samples", "questions_per_context"):
            if getattr(config, name) < 1:
                raise InputError(f"task.{name} is {getattr(config, name)}; expected at least 1")
        try:
            found = find(config.subtask, config.given())
        except ValueError as error:
            first = str(error).split()[0].rstrip(":")
            where = "task." if first in vars(config) else "task.subtask: "
            raise InputError(f"{where}{error}") from error
        data = found.set.data()
        return ProbesSpec(
            name=config.name,
            label=found.label + ("-empty" if config.empty else ""),
            subtask=config.subtask,
            prompts="suite",
            length=config.length,
            samples=config.samples,
            questions_per_context=found.questions(config.questions_per_context),
            each=config.questions_per_context,
            seed=config.seed,
            data="+".join(data.values()) or None,
            overrides=tuple(sorted(found.changed.items())),
            max_new_tokens=config.max_new_tokens,
            empty=config.empty,
            chat=config.chat,
            generator=GENERATOR,
        )

    def rows(self, spec: ProbesSpec, tokenizer: Any) -> Iterator[Row]:
        try:
            yield from generate(
                spec.subtask,
                tokenizer,
                spec.length or 0,
                spec.samples or 0,
                questions_per_context=spec.each,
                seed=spec.seed or 0,
                options=dict(spec.overrides),
                empty=spec.empty,
                chat=spec.chat,
            )
        except ValueError as error:
            raise InputError(f"task.length: {error}") from error

    def rules(self, spec: ProbesSpec, row: Row, tokenizer: Any) -> Rules:
        return Rules(spec.max_new_tokens or row.max_new_tokens, chat=spec.chat)

    def score(self, spec: ProbesSpec, row: Row, prediction: str) -> dict[str, float]:
        return sets()[row.meta["set"]].scores(row, prediction)
