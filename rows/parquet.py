"""Rows as Parquet: the suite's own columns, and those that RULER data are published in."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rows import strict_json
from rows.row import Row, RowError

# ``meta`` is JSON text, so that the files of all tasks have one schema.
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "task", "subtask", "context", "question")),
        ("answer_prefix", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("max_new_tokens", pa.int64()),
        ("meta", pa.string()),
    ]
)
PUBLISHED = ("context", "question", "answer_prefix", "answer", "task", "max_new_tokens")


def write_parquet(path: str | Path, rows: Iterable[Row]) -> int:
    """Writes rows to ``path`` as a whole, or leaves it alone; returns their number.

    Raises:
        RowError: no row, or a duplicated id. OSError: the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [{**asdict(row), "meta": json.dumps(row.meta, ensure_ascii=False)} for row in rows]
    if not content:
        raise RowError(f"{path}: there is no row to write")
    if len({row["id"] for row in content}) < len(content):
        raise RowError(f"{path}: an id appears twice; ids must be unique in a file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        pq.write_table(pa.Table.from_pylist(content, SCHEMA), temporary, compression="zstd")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - Path.replace hides which call failed
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return len(content)


def read_parquet(path: str | Path) -> list[Row]:
    """All rows of a Parquet file, in order: our columns, or the published ones.

    Published rows have no id and no ``meta``; they are numbered by task, and ``answer`` may be one
    text or several.

    Raises:
        RowError: no such file, no Parquet, other columns, or a row that breaks the contract.
    """
    path = Path(path)
    if not path.is_file():
        raise RowError(f"{path}: no such file")
    try:
        table = pq.read_table(path)
        columns = set(table.column_names)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
    ) as error:  # ValueError: names that are not UTF-8
        raise RowError(f"{path}: not a Parquet file: {error}") from error
    own, published = set(SCHEMA.names), set(PUBLISHED)
    if not (own <= columns or published <= columns):
        raise RowError(
            f"{path}: has the columns {', '.join(sorted(columns))}; expected {', '.join(PUBLISHED)}, "
            f"or {', '.join(SCHEMA.names)}"
        )
    convert = _own if own <= columns else published_row
    rows: list[Row] = []
    counts: dict[str, int] = {}
    for number, content in enumerate(_contents(path, table)):
        try:
            rows.append(convert(content, counts))
        except (RowError, TypeError, ValueError) as error:
            raise RowError(f"{path}, row {number}: {error}") from error
    if not rows:
        raise RowError(f"{path}: the file holds no row")
    return rows


def _contents(path: Path, table: pa.Table) -> list[dict[str, Any]]:
    try:
        contents: list[dict[str, Any]] = table.to_pylist()
    except (
        pa.ArrowException,
        ValueError,
        OverflowError,
    ) as error:  # text that is not UTF-8, for one
        raise RowError(f"{path}: a value in it cannot be read: {error}") from error
    return contents


def _own(content: dict[str, Any], counts: dict[str, int]) -> Row:
    fields = {name: content[name] for name in SCHEMA.names}
    return Row(**{**fields, "meta": strict_json.loads(fields["meta"])})


def published_row(content: dict[str, Any], counts: dict[str, int]) -> Row:
    """A row of RULER's published columns; ``counts`` numbers the rows of each task, and is counted on."""
    subtask = content["task"]
    number = counts[subtask] = counts.get(subtask, -1) + 1
    answer = content["answer"]
    return Row(
        id=f"{subtask}-{number:05d}",
        task="ruler",
        subtask=subtask,
        context=content["context"],
        question=content["question"],
        answer_prefix=content["answer_prefix"],
        answers=[answer] if isinstance(answer, str) else answer,
        max_new_tokens=content["max_new_tokens"],
        meta={"prompts": "published"},
    )
