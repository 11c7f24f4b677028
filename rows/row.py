"""The one row contract of every data set, and its JSONL files.

A row is one question about one context. The fixed context is ``context``; the user input is
``question + answer_prefix``; the two are tokenised separately and joined as ids. Rows with one
``context`` share one prefill and one index.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rows import strict_json


class RowError(ValueError):
    """A row, or a file of rows, that breaks the contract. The message says where."""


@dataclass(frozen=True)
class Row:
    """One question about one context.

    Attributes:
        id: unique in its file.
        task, subtask: for instance ``ruler`` and ``niah_single_1``.
        context: the fixed context, never empty.
        question, answer_prefix: together the user input.
        answers: the accepted or wanted answers, at least one.
        max_new_tokens: tokens to generate, at least 1.
        meta: how the row was made; anything JSON can hold.

    Raises:
        RowError: a field has the wrong type or an impossible value.
    """

    id: str
    task: str
    subtask: str
    context: str
    question: str
    answer_prefix: str
    answers: list[str]
    max_new_tokens: int
    meta: dict[str, Any]

    def __post_init__(self) -> None:
        for name in ("id", "task", "subtask", "context", "question", "answer_prefix"):
            self._expect(name, isinstance(getattr(self, name), str), "a string")
        for name in ("id", "task", "subtask", "context"):
            self._expect(name, bool(getattr(self, name).strip()), "text, not an empty string")
        answers = self.answers
        texts = isinstance(answers, list) and all(isinstance(answer, str) for answer in answers)
        self._expect("answers", texts, "a list of strings")
        self._expect("answers", len(answers) > 0, "at least one answer")
        tokens = self.max_new_tokens
        whole = isinstance(tokens, int) and not isinstance(tokens, bool)
        self._expect("max_new_tokens", whole and tokens >= 1, "a whole number of at least 1")
        self._expect("meta", isinstance(self.meta, dict), "an object")

    def _expect(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            seen = repr(getattr(self, name))
            seen = seen if len(seen) <= 60 else seen[:57] + "..."
            raise RowError(f"field {name!r} of row {self.id!r} is {seen}; expected {wanted}")


FIELDS = tuple(field.name for field in fields(Row))


def write_jsonl(path: str | Path, rows: Iterable[Row]) -> int:
    """Writes rows to ``path`` and returns their number. Missing folders are made.

    The file is replaced as a whole: until all rows are on disk the old file stays.

    Raises:
        RowError: no row, a duplicated id, or content that JSON cannot hold.
        OSError: the file cannot be written, for instance because the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is only atomic inside one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            count = 0
            for line in _lines(path, rows):
                file.write(line)
                count += 1
            if count == 0:
                raise RowError(f"{path}: there is no row to write")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - Path.replace hides which call failed
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return count


def _lines(path: Path, rows: Iterable[Row]) -> Iterable[bytes]:
    ids: set[str] = set()
    for row in rows:
        if row.id in ids:
            raise RowError(f"{path}: the id {row.id!r} appears twice; ids must be unique in a file")
        ids.add(row.id)
        try:
            text = json.dumps(asdict(row), ensure_ascii=False, allow_nan=False)
            yield text.encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise RowError(f"{path}: row {row.id!r} cannot be written as JSON: {error}") from error


def read_jsonl(path: str | Path) -> list[Row]:
    """All rows of a JSONL file, in order. Blank lines are skipped.

    Raises:
        RowError: no such file, or a line that is not a row; the message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise RowError(f"{path}: no such file")
    rows: list[Row] = []
    lines: dict[str, int] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = _parse(line)
            except RowError as error:
                raise RowError(f"{path}:{number}: {error}") from error
            if row.id in lines:
                raise RowError(
                    f"{path}:{number}: the id {row.id!r} is already used in line {lines[row.id]}"
                )
            lines[row.id] = number
            rows.append(row)
    if not rows:
        raise RowError(f"{path}: the file holds no row")
    return rows


def _parse(line: bytes) -> Row:
    try:
        content = strict_json.loads(line)
    except ValueError as error:  # bad JSON and bad UTF-8
        raise RowError(f"not a line of JSON ({error}); was the file cut off?") from error
    if not isinstance(content, dict):
        raise RowError(f"the line is a JSON {type(content).__name__}; expected an object")
    missing = [name for name in FIELDS if name not in content]
    if missing:
        raise RowError(f"missing field {', '.join(map(repr, missing))}")
    unknown = [name for name in content if name not in FIELDS]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise RowError(f"unknown field {names}; what describes a row belongs into 'meta'")
    return Row(**content)
