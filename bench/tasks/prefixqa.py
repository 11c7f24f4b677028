"""PreFixQA in the bench: one long document, many questions; made on the fly or read from a set."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from bench.config.errors import InputError
from bench.config.schema import TaskConf
from bench.config.spec import NOT_IDENTITY, TaskSpec
from bench.tasks.base import Task, by_context
from prefixqa import factbook, invent, prompts
from prefixqa.config import MAKING
from prefixqa.rows import TASK, to_rows
from prefixqa.score import score
from prefixqa.template import GENERATOR, SpaceError
from prefixqa.tokens import TokenCounter
from rows.download import MissingDataError
from rows.row import Row, RowError, read_jsonl
from texts import catalogue


@dataclass
class PrefixQAConf(TaskConf):
    """Which rows are asked.

    Attributes:
        length: tokens of a whole row, answer included. samples: documents.
        questions_per_context: questions asked about each of them.
        backend: that makes the documents: template (invented), or factbook (country profiles with swapped
            values, fetched as ``python -m texts`` says).
        data: a set made by ``python -m prefixqa`` (its folder, or its prefixqa.jsonl); null: documents are
            made for the model's tokenizer. With a set the five above say nothing.
    """

    name: str = TASK
    length: int = 4096
    samples: int = 5
    questions_per_context: int = 24
    seed: int = 0
    backend: str = invent.NAME
    data: str | None = None


@dataclass(frozen=True, kw_only=True)
class PrefixQASpec(TaskSpec):
    """``subtask``: the set's backend. ``path``: of its rows. ``generator``: of rows that are made."""

    subtask: str
    generator: str | None
    path: str | None = field(metadata=NOT_IDENTITY)


class PrefixQA(Task[PrefixQAConf, PrefixQASpec]):
    """Questions on long documents; the score is token F1."""

    name: ClassVar[str] = TASK
    conf: ClassVar[type[TaskConf]] = PrefixQAConf
    meta_kept = ("prompts", "question", "type", "depths", "document", "source")

    def spec(self, config: PrefixQAConf) -> PrefixQASpec:
        if config.data is not None:
            return _set_spec(config)
        for name in ("length", "samples", "questions_per_context"):
            if getattr(config, name) < 1:
                raise InputError(f"task.{name} is {getattr(config, name)}; expected at least 1")
        if config.backend not in MAKING:
            raise InputError(
                f"task.backend is {config.backend!r}; expected one of {', '.join(MAKING)}, or a set of "
                "another backend by task.data"
            )
        made_up = config.backend == invent.NAME
        return PrefixQASpec(
            name=config.name,
            label=config.backend,
            subtask=config.backend,
            prompts=prompts.VERSION,
            length=config.length,
            samples=config.samples,
            questions_per_context=config.questions_per_context,
            seed=config.seed,
            data=None if made_up else catalogue.profiles_package().sha256[:16],
            generator=GENERATOR if made_up else factbook.GENERATOR,
            max_new_tokens=config.max_new_tokens,
            path=None,
        )

    def rows(self, spec: PrefixQASpec, tokenizer: Any) -> Iterator[Row]:
        if spec.path is not None:
            yield from read_jsonl(spec.path)
            return
        tokens = TokenCounter(tokenizer)
        sizes = spec.samples or 0, spec.questions_per_context or 0, spec.length or 0
        make = invent.invent if spec.subtask == invent.NAME else factbook.documents
        try:
            for made in make(tokens, *sizes, spec.seed or 0):
                yield from to_rows(made, spec.subtask, tokens)
        except SpaceError as error:
            raise InputError(f"task.length: {error}") from error
        except MissingDataError as error:
            raise InputError(f"task.backend: {error}") from error

    def score(self, spec: PrefixQASpec, row: Row, prediction: str) -> dict[str, float]:
        found = score(prediction, row.answers, row.answer_prefix)
        return {"score": found["f1"], **found}


def _set_spec(config: PrefixQAConf) -> PrefixQASpec:
    """The spec of a set on disk; its rows' content is the run's identity."""
    path = Path(str(config.data)).expanduser()
    path = path / "prefixqa.jsonl" if path.is_dir() else path
    try:
        rows = read_jsonl(path)
    except RowError as error:
        raise InputError(f"task.data: {error}") from error
    subtasks, versions = ({each} for each in (rows[0].subtask, rows[0].meta.get("prompts")))
    if {row.task for row in rows} != {TASK} or {row.subtask for row in rows} != subtasks:
        raise InputError(f"task.data: {path} is no set of python -m prefixqa, or mixes two of them")
    if {row.meta.get("prompts") for row in rows} != versions:
        raise InputError(f"task.data: {path} mixes two prompt sets")
    documents, fewest = by_context(rows)
    return PrefixQASpec(
        name=config.name,
        label=rows[0].subtask,
        subtask=rows[0].subtask,
        prompts=str(rows[0].meta.get("prompts")),
        length=rows[0].meta.get("length"),
        samples=len(rows),  # documents may have unequal numbers of questions
        documents=documents,
        fewest=fewest,
        data=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        generator=None,
        max_new_tokens=config.max_new_tokens,
        path=str(path),
    )
