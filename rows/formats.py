"""The formats of files of rows, by their endings."""

from collections.abc import Callable, Iterable
from pathlib import Path

from rows.row import Row, read_jsonl, write_jsonl


def _write_parquet(path: str | Path, rows: Iterable[Row]) -> int:
    from rows.parquet import write_parquet  # its library is slow to load, and most rows are JSONL

    return write_parquet(path, rows)


def _read_parquet(path: str | Path) -> list[Row]:
    from rows.parquet import read_parquet

    return read_parquet(path)


Format = tuple[Callable[[str | Path, Iterable[Row]], int], Callable[[str | Path], list[Row]]]
# How each is written and read.
FORMATS: dict[str, Format] = {
    "jsonl": (write_jsonl, read_jsonl),
    "parquet": (_write_parquet, _read_parquet),
}
