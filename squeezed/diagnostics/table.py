"""Rows of a table, and how they are written."""

import contextlib
import csv
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = dict[str, str | int | float]


def write_csv(rows: Sequence[Mapping[str, object]], path: str | Path) -> Path:
    """Writes rows as a CSV table with a header, atomically; missing folders are made.

    Raises:
        ValueError: no row, or a row with other columns than the first. OSError: not writable.
    """
    path = Path(path)
    if not rows:
        raise ValueError(f"{path}: there is no row to write")
    columns = list(rows[0])
    for number, row in enumerate(rows):
        if list(row) != columns:
            raise ValueError(f"{path}: row {number} has columns {list(row)}; expected {columns}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is only atomic inside one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path
