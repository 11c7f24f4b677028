"""From records to rows: the fixed context, the user input, and what scoring needs to know."""

import hashlib
from collections.abc import Iterator
from typing import Any

from longbench import v2
from longbench.errors import LongBenchError
from longbench.prompting.prompts import PromptSet
from longbench.prompting.template import PAPER, Parts, split_template
from longbench.sources import records
from longbench.sources.source import V2_NAME, Source
from longbench.tasks import get_task
from rows.row import Row


def rows(
    name: str, source: Source, prompts: PromptSet, split: str = PAPER, samples: int | None = None
) -> list[Row]:
    """The rows of a task, in the order of its data.

    Args:
        name: a task (``qasper``, ``qasper_e``, ``v2``). source: its data. prompts: the wording.
        split: where the user part begins, see ``longbench.prompting.template``.
        samples: the first so many records; None: all.

    Raises:
        LongBenchError: no such task, malformed data, or a template that cannot be split.
    """
    content = source.read()
    common = {
        "dataset": name,
        "data": source.origin,
        "data_sha256": hashlib.sha256(content).hexdigest(),
        "data_checked": source.checked,
        "prompts": prompts.name,
        "prompts_sha256": prompts.sha256,
        "split": split,
    }
    make = _rows_v2 if name == V2_NAME else _rows
    found = []
    for index, (parts, fields) in enumerate(make(name, content, source, prompts, split)):
        if samples is not None and index >= samples:
            break
        meta = common | fields.pop("meta")
        found.append(_row(f"{name}-{index:04d}", name, parts, meta, **fields))
    return found


def _row(identifier: str, name: str, parts: Parts, meta: dict[str, Any], **fields: Any) -> Row:
    if not parts.question + parts.answer_prefix:
        raise LongBenchError(
            f"{identifier}: the user part is empty, because the record's input is; such a record "
            "asks nothing"
        )
    return Row(
        id=identifier,
        task="longbench",
        subtask=name,
        context=parts.context,
        question=parts.question,
        answer_prefix=parts.answer_prefix,
        meta=meta,
        **fields,
    )


def _rows(
    name: str, content: bytes, source: Source, prompts: PromptSet, split: str
) -> Iterator[tuple[Parts, dict[str, Any]]]:
    task = get_task(name)
    template = split_template(prompts.template(task), task, split)
    for record in records.read(content, source.name, lambda f: records.parse(f, task), name):
        meta = {
            "group": task.group,
            "language": record.language,
            "metric": task.metric,
            "length": record.length,
            "all_classes": list(record.classes),
            "chat": task.chat,
            "source_id": record.source_id,
        }
        yield (
            template.fill(record.context, record.input),
            {
                "answers": list(record.answers),
                "max_new_tokens": prompts.limits.get(task.name, task.max_new_tokens),
                "meta": meta,
            },
        )


def _rows_v2(
    name: str, content: bytes, source: Source, prompts: PromptSet, split: str
) -> Iterator[tuple[Parts, dict[str, Any]]]:
    if prompts.v2 is None:
        raise LongBenchError(f"the prompt set {prompts.name} has no template for v2 (0shot.txt)")
    for question in records.read(content, source.name, v2.parse, name):
        meta = {
            "metric": "choice",
            "difficulty": question.difficulty,
            "length": question.length,
            "domain": question.domain,
            "chat": True,
            "source_id": question.source_id,
        }
        yield (
            v2.fill(prompts.v2, question),
            {
                "answers": [question.answer],
                "max_new_tokens": v2.MAX_NEW_TOKENS,
                "meta": meta,
            },
        )
