"""The set as Parquet: ``pairs`` (one row a pair) and ``documents`` (one row a document), by split."""

import json
from pathlib import Path
from typing import Any

from prefixqa.output.splits import SPLITS
from rows.row import FIELDS, Row
from rows.whole import write_with

CONFIGS = ("pairs", "documents")


def write_parquet(rows: list[Row], splits: dict[str, str], folder: Path) -> list[Path]:
    """Writes ``CONFIG/SPLIT.parquet`` for every split that has documents; returns the paths.

    ``meta`` is a JSON string there, because its fields differ between backends; what most readers
    filter by has a column of its own.

    Raises:
        OSError: a file cannot be written.
    """
    written = []
    for split in SPLITS:
        members = [row for row in rows if splits[row.meta["document"]] == split]
        for config, records in (("pairs", _pairs(members)), ("documents", _documents(members))):
            path = folder / config / f"{split}.parquet"
            if members:
                _write(records, path)
                written.append(path)
    return written


def _pairs(rows: list[Row]) -> list[dict[str, Any]]:
    """The row contract with ``document``, ``type`` and ``depth`` as columns."""
    return [
        {name: getattr(row, name) for name in FIELDS if name != "meta"}
        | {
            "document": row.meta["document"],
            "type": row.meta["type"],
            "depth": row.meta["depths"][0],
            "meta": json.dumps(row.meta, ensure_ascii=False, sort_keys=True),
        }
        for row in rows
    ]


def _documents(rows: list[Row]) -> list[dict[str, Any]]:
    """One record a document, its pairs in a list."""
    records: dict[str, dict[str, Any]] = {}
    for row in rows:
        meta = row.meta
        record = records.setdefault(
            meta["document"],
            {name: meta[name] for name in ("document", "title", "source", "licence", "published")}
            | {"tokens": meta["document_tokens"], "context": row.context, "questions": []},
        )
        record["questions"].append(
            {
                "id": row.id,
                "question": row.question,
                "answer_prefix": row.answer_prefix,
                "answers": row.answers,
                "max_new_tokens": row.max_new_tokens,
                "type": meta["type"],
                "depths": meta["depths"],
                "evidence": meta["evidence"],
            }
        )
    return list(records.values())


def _write(records: list[dict[str, Any]], path: Path) -> None:
    import pyarrow  # late: it takes a second that wrong settings need not wait for
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist(records)
    if "published" in table.column_names:  # all null: a column without a type, which readers refuse
        place = table.column_names.index("published")
        column = table.column("published").cast(pyarrow.string())
        table = table.set_column(place, "published", column)
    write_with(path, lambda temporary: parquet.write_table(table, temporary, compression="zstd"))
