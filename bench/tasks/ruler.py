"""RULER in the bench; the rows themselves are made by the package ``ruler``."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from bench.config import TaskConf
from bench.errors import InputError
from bench.spec import NOT_IDENTITY, TaskSpec
from bench.tasks.base import Task
from ruler.generate import LengthError, generate
from ruler.plan import GENERATOR
from ruler.prompts import PROMPT_SETS
from ruler.rows import Row
from ruler.score import score
from ruler.tasks import TASKS, with_questions


@dataclass
class RulerConf(TaskConf):
    """Which rows are asked.

    Attributes:
        length: tokens of a whole row, answer included. samples: contexts.
        questions_per_context: questions asked about each of them.
        prompts: name of the prompt set. essays: text file of essays for the essay haystacks.
    """

    name: str = "ruler"
    subtask: str = "niah_single_1"
    length: int = 4096
    samples: int = 20
    questions_per_context: int = 1
    seed: int = 42
    prompts: str = "suite"
    essays: str | None = None


@dataclass(frozen=True, kw_only=True)
class RulerSpec(TaskSpec):
    """Fields as in ``RulerConf``; ``generator``: version of the rows' generator."""

    subtask: str
    length: int
    samples: int
    seed: int
    generator: str
    essays: str | None = field(metadata=NOT_IDENTITY)


class Ruler(Task[RulerConf, RulerSpec]):
    """RULER's tasks at one length."""

    name: ClassVar[str] = "ruler"
    conf: ClassVar[type[TaskConf]] = RulerConf
    meta_kept = ("prompts", "haystack", "haystack_standard", "essays", "depths", "generator")

    def spec(self, config: RulerConf) -> RulerSpec:
        if config.subtask not in TASKS:
            raise InputError(f"unknown task.subtask {config.subtask!r}; known: {', '.join(TASKS)}")
        if config.prompts not in PROMPT_SETS:
            known = ", ".join(PROMPT_SETS)
            raise InputError(f"unknown prompt set task.prompts={config.prompts!r}; known: {known}")
        for name in ("samples", "questions_per_context"):
            if getattr(config, name) < 1:
                raise InputError(f"task.{name} is {getattr(config, name)}; expected at least 1")
        essays = None
        if config.essays is not None:
            if not Path(config.essays).is_file():
                raise FileNotFoundError(
                    f"task.essays: no file {config.essays}; expected a text file"
                )
            essays = hashlib.sha256(Path(config.essays).read_bytes()).hexdigest()[:16]
        return RulerSpec(
            label=with_questions(TASKS[config.subtask], config.questions_per_context).name,
            data=essays,
            generator=GENERATOR,
            **vars(config),
        )

    def rows(self, spec: RulerSpec, tokenizer: Any) -> Iterator[Row]:
        try:
            yield from generate(
                spec.subtask,
                tokenizer,
                spec.length,
                spec.samples,
                seed=spec.seed,
                prompts=spec.prompts,
                questions_per_context=spec.questions_per_context or 1,
                essays=spec.essays,
            )
        except LengthError as error:
            raise InputError(f"task.length: {error}") from error

    def score(self, spec: RulerSpec, row: Row, prediction: str) -> dict[str, float]:
        return {"score": score(row.subtask, prediction, row.answers)}
