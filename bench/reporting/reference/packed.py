"""Records of many runs in one Parquet file, compressed, and back again without any loss.

One row a record. Columns: ``run`` (its folder below ``runs``), ``identity`` (JSON of what decides the run),
and the fields of the record. A field whose values are all texts, all truth values, all integers or all floats
is a column of that type; any other (lists, objects, mixed numbers) is a column of JSON texts, and so is one
that some records lack. The file's metadata says which columns are JSON.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.config.errors import InputError
from bench.records.files import CONFIG, RECORDS
from bench.records.stored import read_complete_records, read_identity
from bench.reporting.leaderboard.rows import Run
from bench.reporting.output import write_file

RUN, IDENTITY = "run", "identity"
PLACES = ("results", "cache_dir")
JSON_COLUMNS = b"json_columns"
TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


def pack(runs: Path, folders: Iterable[str], path: Path) -> Path:
    """Writes the records of some runs into one file.

    Args:
        runs: the folder of all records. folders: of the runs below it.
        path: of the file, replaced as a whole.

    Raises:
        InputError: no run, or a run without a record. RunError: damaged records.
        OSError: it cannot be written.
    """
    rows: list[dict[str, Any]] = []
    for folder in sorted(folders):
        identity = _text(read_identity(runs / folder / CONFIG))
        records = read_complete_records(runs / folder / RECORDS)
        if not records:
            raise InputError(f"{runs / folder} has no record yet")
        rows += [{RUN: folder, IDENTITY: identity, **_elsewhere(record)} for record in records]
    if not rows:
        raise InputError(f"no run in {runs} to pack")
    return write_rows(rows, path)


def _elsewhere(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record without the folders of the machine that made it, which say nothing to others."""
    provenance = record.get("provenance")
    if not isinstance(provenance, dict) or not isinstance(provenance.get("config"), dict):
        return record
    kept = {name: value for name, value in provenance["config"].items() if name not in PLACES}
    return {**record, "provenance": {**provenance, "config": kept}}


def write_rows(rows: list[dict[str, Any]], path: Path) -> Path:
    """Writes dictionaries as one Parquet file; returns its path."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays, as_json = [], []
    for name in names:
        found = TYPES.get(_only_type(rows, name))
        if found is None:
            as_json.append(name)
            values = [_text(row[name]) if name in row else None for row in rows]
            arrays.append(pa.array(values, pa.string()))
        else:
            arrays.append(pa.array([row[name] for row in rows], found))
    table = pa.table(dict(zip(names, arrays, strict=True)))
    table = table.replace_schema_metadata({JSON_COLUMNS: json.dumps(as_json)})
    return write_file(
        path, lambda place: pq.write_table(table, place, compression="zstd", compression_level=19)
    )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What ``write_rows`` was given.

    Raises:
        InputError: no such file, or not one of ours.
    """
    try:
        table = pq.read_table(path)
        as_json = set(json.loads((table.schema.metadata or {})[JSON_COLUMNS]))
    except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} holds no packed records: {error!r}") from error
    return [
        {
            name: json.loads(value) if name in as_json else value
            for name, value in row.items()
            if value is not None  # null: the record lacks the field; a JSON null is a text
        }
        for row in table.to_pylist()
    ]


def read_runs(path: Path) -> list[Run]:
    """The runs of a packed file, as ``bench.reporting.leaderboard.rows.load_runs`` gives them.

    Raises:
        InputError: as ``read_rows``.
    """
    identities: dict[str, str] = {}
    records: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(path):
        folder = row.pop(RUN)
        identities[folder] = row.pop(IDENTITY)
        records.setdefault(folder, []).append(row)
    return [
        (json.loads(identities[folder]), pd.DataFrame(records[folder]), folder)
        for folder in sorted(records)
    ]


def _only_type(rows: list[dict[str, Any]], name: str) -> type:
    """The one type of a field's values; ``object`` where there are several, or it is missing somewhere."""
    kinds = {type(row[name]) if name in row else object for row in rows}
    return kinds.pop() if len(kinds) == 1 else object


def _text(value: Mapping[str, Any] | Any) -> str:
    return json.dumps(value, ensure_ascii=False)
