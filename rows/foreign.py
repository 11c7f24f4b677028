"""Rows that others have written, read into the row contract: files of rows, RULER as kvpress has it, SCBench.

Which of them a file is, its columns tell:

- the contract's own (``rows.row``), as JSONL or Parquet;
- ``context, question, answer_prefix, answer, task, max_new_tokens``: RULER as it is published for kvpress;
- ``context, multi_turns``: SCBench, one context with several questions (``input`` and ``answer`` each).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rows import strict_json
from rows.parquet import PUBLISHED, SCHEMA, published_row
from rows.row import FIELDS, Row, RowError

TURNS = ("context", "multi_turns")
OWN_TASK = "prefixqa"  # scores token F1 and exact match, whatever the set
ENDINGS = (".jsonl", ".json", ".parquet")


def read_foreign(path: Path, max_new_tokens: int = 64) -> list[Row]:
    """All rows of a file, in order, with ids that are unique in it.

    Args:
        max_new_tokens: of rows that do not say it themselves.

    Raises:
        RowError: no such file, another ending, columns that are none of the known, or a row that breaks the
            contract; names the file and the row.
    """
    if not path.is_file():
        raise RowError(f"{path}: no such file")
    if path.suffix not in ENDINGS:
        raise RowError(f"{path}: expected a file that ends in one of {', '.join(ENDINGS)}")
    contents = _parquet(path) if path.suffix == ".parquet" else list(_json_lines(path))
    if not contents:
        raise RowError(f"{path}: the file holds no row")
    rows: list[Row] = []
    counts: dict[str, int] = {}
    for number, content in enumerate(contents):
        try:
            rows += _rows(content, counts, path.stem, number, max_new_tokens)
        except (RowError, KeyError, TypeError, ValueError) as error:
            raise RowError(f"{path}, row {number}: {error}") from error
    ids = [row.id for row in rows]
    if len(set(ids)) < len(ids):
        twice = next(each for place, each in enumerate(ids) if each in ids[:place])
        raise RowError(f"{path}: the id {twice!r} appears twice; ids must be unique in a file")
    return rows


def _rows(
    content: Any, counts: dict[str, int], name: str, number: int, max_new_tokens: int
) -> list[Row]:
    if not isinstance(content, dict):
        raise RowError(f"it is a JSON {type(content).__name__}; expected an object")
    columns = set(content)
    if set(SCHEMA.names) <= columns:
        meta = content["meta"]
        meta = strict_json.loads(meta) if isinstance(meta, str) else meta
        return [Row(**{**{each: content[each] for each in FIELDS}, "meta": meta})]
    if set(PUBLISHED) <= columns:
        return [published_row(content, counts)]
    if set(TURNS) <= columns:
        return list(_turns(content, name, number, max_new_tokens))
    expected = "; ".join(", ".join(each) for each in (FIELDS, PUBLISHED, TURNS))
    raise RowError(f"has the fields {', '.join(sorted(columns))}; expected one of: {expected}")


def _turns(content: dict[str, Any], name: str, number: int, max_new_tokens: int) -> Iterator[Row]:
    """The questions of one SCBench row, each asked by itself on the shared context."""
    key = str(content.get("id", number))
    for place, turn in enumerate(content["multi_turns"]):
        answer = turn["answer"]
        answers = answer if isinstance(answer, list) else [answer]
        options = turn.get("options") or []
        yield Row(
            id=f"{name}-{key}-t{place}",
            task=OWN_TASK,
            subtask=str(content.get("task", name)),
            context=content["context"],
            question=turn["input"],
            answer_prefix="",
            answers=[str(each) for each in answers],
            max_new_tokens=int(content.get("max_new_tokens", max_new_tokens)),
            meta={
                "prompts": "published",
                "question": turn["input"],
                "turn": place,
                "source": "SCBench",
                **({"options": [str(each) for each in options]} if options else {}),
            },
        )


def _json_lines(path: Path) -> Iterator[Any]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                yield strict_json.loads(line)
            except ValueError as error:
                raise RowError(f"{path}:{number}: not a line of JSON ({error})") from error


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa  # late: other files need it not
    import pyarrow.parquet as pq

    try:
        contents: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise RowError(f"{path}: not a Parquet file that can be read: {error}") from error
    return contents
