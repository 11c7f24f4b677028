"""LongBench in the bench; data, prompts and metrics are the package ``longbench``'s."""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from bench.config.errors import InputError
from bench.config.schema import TaskConf
from bench.config.spec import NOT_IDENTITY, TaskSpec
from bench.tasks.base import Rules, Task
from longbench import v2
from longbench.errors import LongBenchError
from longbench.prompting import truncate
from longbench.prompting.generation import stop_ids
from longbench.prompting.prompts import load_prompts
from longbench.prompting.template import SPLITS
from longbench.rows import rows
from longbench.scoring.metrics import BEHAVIOURS
from longbench.scoring.score import score
from longbench.sources.source import V2_NAME, Source, find
from longbench.tasks import get_task
from rows.frame import make_frame
from rows.row import Row, RowError

AUTO, OFF, PLACE = "auto", "off", "{prompt}"
TEMPLATE_TOKENS = 64  # of BOS and chat template, in the default reserve


@dataclass
class LongBenchConf(TaskConf):
    """Which records are asked, and how.

    Attributes:
        subtask: a task, one of LongBench-E (``qasper_e``), or ``v2``.
        data: ``official``, ``hub:REPO@REVISION``, a folder, zip or file, or ``fixture``.
        prompts: ``suite``, ``official``, or a folder or file of that format.
        split: ``paper`` or ``prefix``; where the user input begins (``longbench.prompting.template``).
        behaviour: of the metrics, ``official`` or ``fixed``; both go into the record.
        samples: the first so many records; null: all.
        max_length: tokens of a prompt and its answer; longer contexts are cut. null: cut nothing.
        truncate: ``fixed`` cuts the context's ids; ``compat`` the whole prompt as the official code
            does, where ``max_length`` is the prompt's alone.
        reserve: tokens kept free for everything but the context; null: by the task.
        chat: ``auto``: the tokenizer's chat template for the tasks that take one; ``off``; or a
            template of one's own, a text with ``{prompt}``.
    """

    name: str = "longbench"
    subtask: str = "qasper"
    data: str = "fixture"
    prompts: str = "suite"
    split: str = "paper"
    behaviour: str = "official"
    samples: int | None = None
    max_length: int | None = 31500
    truncate: str = "fixed"
    reserve: int | None = None
    chat: str = AUTO


@dataclass(frozen=True, kw_only=True)
class LongBenchSpec(TaskSpec):
    """Fields as in ``LongBenchConf``; ``limit`` is its ``samples``, because files have as many
    records as they have. ``source`` and ``wording`` are where data and prompts come from."""

    subtask: str
    split: str
    behaviour: str
    limit: int | None
    max_length: int | None
    truncate: str
    reserve: int | None
    chat: str
    source: str = field(metadata=NOT_IDENTITY)
    wording: str = field(metadata=NOT_IDENTITY)


class LongBench(Task[LongBenchConf, LongBenchSpec]):
    """LongBench, LongBench-E and LongBench-v2."""

    name: ClassVar[str] = "longbench"
    conf: ClassVar[type[TaskConf]] = LongBenchConf
    meta_kept = (
        *("prompts", "prompts_sha256", "split", "data", "data_sha256", "group", "metric"),
        *("length", "difficulty", "domain", "source_id", "prompt_tokens_cut"),
    )

    def spec(self, config: LongBenchConf) -> LongBenchSpec:
        for name in ("samples", "max_length", "reserve"):
            value = getattr(config, name)
            if value is not None and value < 1:
                raise InputError(f"task.{name} is {value}; expected at least 1, or null")
        choices = {"split": SPLITS, "behaviour": BEHAVIOURS, "truncate": truncate.MODES}
        for name, known in choices.items():
            if getattr(config, name) not in known:
                raise InputError(
                    f"task.{name} is {getattr(config, name)!r}; expected {' or '.join(known)}"
                )
        if config.chat not in (AUTO, OFF) and config.chat.count(PLACE) != 1:
            raise InputError(
                f"task.chat is {config.chat!r}; expected auto, off, or a text with one {PLACE}"
            )
        with _input_errors():
            if config.subtask != V2_NAME:
                get_task(config.subtask)
            prompts = load_prompts(config.prompts)
            source = find(config.data, config.subtask)
            fingerprint = _fingerprint(source, source.path.stat().st_mtime_ns)
        return LongBenchSpec(
            name=config.name,
            label=config.subtask,
            prompts=prompts.name,
            data=fingerprint,
            max_new_tokens=config.max_new_tokens,
            subtask=config.subtask,
            split=config.split,
            behaviour=config.behaviour,
            limit=config.samples,
            max_length=config.max_length,
            truncate=config.truncate,
            reserve=config.reserve,
            chat=config.chat,
            source=_absolute(config.data),
            wording=_absolute(config.prompts),
        )

    def rows(self, spec: LongBenchSpec, tokenizer: Any) -> Iterator[Row]:
        with _input_errors():
            source, prompts = find(spec.source, spec.subtask), load_prompts(spec.wording)
            found = rows(spec.subtask, source, prompts, spec.split, spec.limit)
            for row in found:
                if spec.truncate == truncate.COMPAT and spec.max_length is not None:
                    row = truncate.cut_prompt(row, tokenizer, spec.max_length)
                yield _in_template(spec, row)

    def check(self, spec: LongBenchSpec, tokenizer: Any) -> None:
        if not _cuts_ids(spec):
            return super().check(spec, tokenizer)
        reserve = _reserve(spec)
        assert spec.max_length is not None
        if spec.max_length - reserve < 2:
            raise InputError(
                f"task.max_length is {spec.max_length}, and {reserve} tokens of it are kept free for "
                f"user input and answer; set a larger one, or task.reserve"
            )
        found = list(self.rows(spec, tokenizer))
        rules = self.rules(spec, found[0], tokenizer)  # the same for all rows of a task
        try:
            frame = make_frame(tokenizer, rules.chat)
        except ValueError as error:
            raise InputError(f"task {spec.label}: {error}") from error
        for row in found:
            user = len(frame.user_ids(tokenizer, row.question, row.answer_prefix, row.context))
            _check_reserve(spec, len(frame.head) + user + rules.max_new_tokens, row.id)
        return None

    def rules(self, spec: LongBenchSpec, row: Row, tokenizer: Any) -> Rules:
        chat = spec.chat == AUTO and row.meta["chat"] and bool(tokenizer.chat_template)
        stops: tuple[int, ...] = ()
        if spec.subtask != V2_NAME:
            stops = stop_ids(spec.subtask, tokenizer, spec.behaviour)
        return Rules(
            max_new_tokens=spec.max_new_tokens or row.max_new_tokens,
            stop_ids=stops,
            # The official code forbids such a token as the first one; here it does not end the answer.
            min_new_tokens=2 if stops else 1,
            chat=chat,
        )

    def cut(self, spec: LongBenchSpec, ids: list[int], reserved: int) -> tuple[list[int], int]:
        if not _cuts_ids(spec):
            return ids, 0
        assert spec.max_length is not None
        # What is kept must not depend on the question, so not on ``reserved`` but on the reserve.
        _check_reserve(spec, reserved, "a row")
        with _input_errors():
            return truncate.cut_middle(ids, spec.max_length - _reserve(spec))

    def score(self, spec: LongBenchSpec, row: Row, prediction: str) -> dict[str, float]:
        with _input_errors():
            both = {each: _score(spec, row, prediction, each) for each in BEHAVIOURS}
        return {"score": both[spec.behaviour], **both}


def _score(spec: LongBenchSpec, row: Row, prediction: str, behaviour: str) -> float:
    if spec.subtask == V2_NAME:
        return v2.score(prediction, row.answers[0], behaviour)
    return score(spec.subtask, prediction, row.answers, row.meta["all_classes"], behaviour)


def _cuts_ids(spec: LongBenchSpec) -> bool:
    return spec.max_length is not None and spec.truncate == truncate.FIXED


def _reserve(spec: LongBenchSpec) -> int:
    """Tokens kept free for everything but the context: the same for all records of a task."""
    if spec.reserve is not None:
        return spec.reserve
    if spec.subtask == V2_NAME:
        user, answer = v2.USER_TOKENS, v2.MAX_NEW_TOKENS
    else:
        task = get_task(spec.subtask)
        user, answer = task.user_tokens, task.max_new_tokens
    return user + (spec.max_new_tokens or answer) + TEMPLATE_TOKENS


def _check_reserve(spec: LongBenchSpec, needed: int, what: str) -> None:
    if needed > _reserve(spec):
        raise InputError(
            f"{what} of {spec.subtask} needs {needed} tokens beside its context, and {_reserve(spec)} "
            f"are kept free; set task.reserve={needed} or more"
        )


def _in_template(spec: LongBenchSpec, row: Row) -> Row:
    """The row inside a chat template given as text; others are put around the ids later."""
    if spec.chat in (AUTO, OFF) or not row.meta["chat"]:
        return row
    head, tail = spec.chat.split(PLACE)
    return dataclasses.replace(row, context=head + row.context, question=row.question + tail)


@functools.lru_cache(maxsize=128)
def _fingerprint(source: Source, changed: int) -> str:
    """Short hash of a task's data, read once for each state of their file."""
    return hashlib.sha256(source.read()).hexdigest()[:16]


def _absolute(setting: str) -> str:
    """A path that still holds in another folder; names stay as they are."""
    if setting in ("fixture", "official", "suite") or setting.startswith("hub:"):
        return setting
    return str(Path(setting).expanduser().resolve())


@contextlib.contextmanager
def _input_errors() -> Iterator[None]:
    try:
        yield
    except (LongBenchError, RowError) as error:
        raise InputError(f"task.subtask, task.data or task.prompts: {error}") from error
