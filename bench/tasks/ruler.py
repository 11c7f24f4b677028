"""RULER in the bench; the rows themselves are made by the package ``ruler``, or read from files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from bench.config.errors import InputError
from bench.config.schema import TaskConf
from bench.config.spec import NOT_IDENTITY, TaskSpec
from bench.tasks.base import Rules, Task, by_context
from rows.row import Row
from ruler import ready
from ruler.config import ParametersConf
from ruler.generate import LengthError, generate
from ruler.given import find_documents, find_prompts, find_text
from ruler.plan import generator
from ruler.score import score, strict
from ruler.tasks import TASKS, with_parameters, with_questions


@dataclass
class RulerConf(ParametersConf, TaskConf):
    """Which rows are asked.

    Attributes:
        length: tokens of a whole row, answer included. samples: contexts.
        questions_per_context: questions asked about each of them.
        prompts: name of the prompt set, or path of a local copy of the original's files.
        essays: text file of essays for the essay haystacks, a text by name, or download.
        squad, hotpotqa: local copies of the data sets; null: download.
        chat: ask in the tokenizer's chat template. compat: as the original where it differs.
        data: file or folder of ready-made rows; then nothing is generated, ``samples`` is the most
            contexts taken, and of several lengths in the folder ``length`` is taken.
    """

    name: str = "ruler"
    subtask: str = "niah_single_1"
    length: int = 4096
    samples: int = 20
    questions_per_context: int = 1
    seed: int = 42
    prompts: str = "suite"
    essays: str | None = None
    squad: str | None = None
    hotpotqa: str | None = None
    chat: bool = False
    compat: bool = False
    data: str | None = None


@dataclass(frozen=True, kw_only=True)
class RulerSpec(TaskSpec):
    """Fields as in ``RulerConf``; ``generator``: version of the rows' generator.

    ``path``: of ready-made rows, and ``contexts``: how many of them at most. ``wording``: where
    the prompt set comes from.
    """

    subtask: str
    generator: str
    chat: bool
    compat: bool
    contexts: int | None = None
    wording: str = field(default="suite", metadata=NOT_IDENTITY)
    essays: str | None = field(default=None, metadata=NOT_IDENTITY)
    squad: str | None = field(default=None, metadata=NOT_IDENTITY)
    hotpotqa: str | None = field(default=None, metadata=NOT_IDENTITY)
    path: str | None = field(default=None, metadata=NOT_IDENTITY)


class Ruler(Task[RulerConf, RulerSpec]):
    """RULER's tasks at one length."""

    name: ClassVar[str] = "ruler"
    conf: ClassVar[type[TaskConf]] = RulerConf
    meta_kept = (
        *("prompts", "haystack", "haystack_standard", "essays", "documents", "text"),
        *("depths", "positions", "total_tokens", "generator"),
    )

    def spec(self, config: RulerConf) -> RulerSpec:
        for name in ("length", "samples", "questions_per_context"):
            if getattr(config, name) < 1:
                raise InputError(f"task.{name} is {getattr(config, name)}; expected at least 1")
        try:
            return _ready(config) if config.data is not None else _generated(config)
        except (ValueError, FileNotFoundError) as error:
            if isinstance(error, InputError):
                raise
            first = str(error).split()[0].rstrip(":")
            if first in vars(config):  # the message begins with the setting
                raise InputError(f"task.{error}") from error
            setting = "subtask" if config.data is None else "data"
            raise InputError(f"task.{setting}: {error}") from error

    def rows(self, spec: RulerSpec, tokenizer: Any) -> Iterator[Row]:
        if spec.path is not None:
            source = ready.find(spec.path, spec.length)
            yield from _first(ready.load(source, spec.subtask), spec.contexts)
            return
        assert spec.length is not None
        assert spec.samples is not None
        assert spec.seed is not None
        try:
            yield from generate(
                spec.subtask,
                tokenizer,
                spec.length,
                spec.samples,
                seed=spec.seed,
                prompts=spec.wording,
                questions_per_context=spec.questions_per_context or 1,
                essays=spec.essays,
                parameters=dict(spec.overrides),
                squad=spec.squad,
                hotpotqa=spec.hotpotqa,
                chat=spec.chat,
                compat=spec.compat,
            )
        except LengthError as error:
            raise InputError(f"task.length: {error}") from error
        except ValueError as error:
            raise InputError(f"task {spec.label}: {error}") from error

    def rules(self, spec: RulerSpec, row: Row, tokenizer: Any) -> Rules:
        return Rules(spec.max_new_tokens or row.max_new_tokens, chat=spec.chat)

    def score(self, spec: RulerSpec, row: Row, prediction: str) -> dict[str, float]:
        return {
            "score": score(row.subtask, prediction, row.answers),
            "strict": strict(row.subtask, prediction, row.answers),
        }


def _generated(config: RulerConf) -> RulerSpec:
    if config.subtask not in TASKS:
        raise InputError(f"unknown task.subtask {config.subtask!r}; known: {', '.join(TASKS)}")
    standard = TASKS[config.subtask]
    changed = with_parameters(standard, config.given())
    overrides = {k: v for k, v in config.given().items() if getattr(standard, k) != v}
    task = with_questions(changed, config.questions_per_context)
    try:
        prompts = find_prompts(config.prompts).name
    except ValueError as error:
        raise InputError(f"task.prompts: {error}") from error
    text = find_text(task, config.essays)
    documents = find_documents(task, config.squad, config.hotpotqa, config.compat, config.seed)
    source = text or documents
    return RulerSpec(
        name=config.name,
        label=task.name,
        subtask=config.subtask,
        prompts=prompts,
        length=config.length,
        samples=config.samples,
        questions_per_context=config.questions_per_context,
        seed=config.seed,
        data=source.fingerprint if source else None,
        overrides=tuple(sorted(overrides.items())),
        max_new_tokens=config.max_new_tokens,
        generator=generator(prompts, config.compat),
        chat=config.chat,
        compat=config.compat,
        wording=config.prompts,
        essays=config.essays,
        squad=config.squad,
        hotpotqa=config.hotpotqa,
    )


def _ready(config: RulerConf) -> RulerSpec:
    if given := config.given():
        raise InputError(
            f"task.data names ready-made rows, so task.{next(iter(given))} changes nothing; "
            "leave out one of the two"
        )
    path = str(config.data)
    source = ready.find(path, config.length)
    rows = list(_first(ready.load(source, config.subtask), config.samples))
    score(config.subtask, "", rows[0].answers)  # whether such rows can be scored
    documents, fewest = by_context(rows)
    return RulerSpec(
        name=config.name,
        label=config.subtask,
        subtask=config.subtask,
        prompts="+".join(sorted({str(row.meta.get("prompts", "published")) for row in rows})),
        length=source.length,
        samples=len(rows),
        documents=documents,
        fewest=fewest,
        data=source.sha256[:16],
        max_new_tokens=config.max_new_tokens,
        generator="ready-made",
        chat=config.chat,
        compat=False,
        contexts=config.samples,
        path=str(Path(path)),
    )


def _first(rows: Iterable[Row], contexts: int | None) -> Iterator[Row]:
    """The rows of the first contexts."""
    seen: dict[str, None] = {}
    for row in rows:
        seen[row.context] = None
        if contexts is not None and len(seen) > contexts:
            return
        yield row
