"""Rows that were made before: files of this suite, or of those who make or publish RULER data."""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from rows import strict_json
from rows.row import Row, RowError, read_jsonl
from ruler.sources import nvidia

ENDINGS = (".parquet", ".jsonl")


@dataclass(frozen=True)
class Source:
    """Files of rows. ``length``: as the name of a folder or file says; ``sha256``: of all files."""

    files: tuple[Path, ...]
    length: int | None
    sha256: str


def find(path: str | Path, length: int | None = None) -> Source:
    """The files of a path: itself, or all in the folder.

    Where a folder has parts for several lengths (``4096/``, or ``TASK/4096.jsonl``), those for
    ``length``; it must be named then.

    Raises:
        RowError: nothing there, or several lengths and not the one that is wanted.
    """
    path = Path(path)
    if not path.exists():
        raise RowError(f"no file or folder {path}")
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    files = [each for each in files if each.suffix in ENDINGS and each.is_file()]
    if not files:
        raise RowError(f"{path} holds no file that ends with {' or '.join(ENDINGS)}")
    lengths = {each: _length(each, path) for each in files}
    known = sorted({each for each in lengths.values() if each is not None})
    if len(known) > 1:
        if length not in known:
            raise RowError(
                f"{path} has rows of {', '.join(map(str, known))} tokens, not of {length}"
            )
        files = [each for each in files if lengths[each] == length]
    together = hashlib.sha256()
    for file in files:
        together.update(hashlib.sha256(file.read_bytes()).digest())
    return Source(tuple(files), lengths[files[0]], together.hexdigest())


def load(source: Source, subtask: str) -> list[Row]:
    """The rows of one subtask. A file in both formats counts once.

    Raises:
        RowError: a damaged file, two rows with one id, or no row of that subtask.
    """
    rows: dict[str, Row] = {}
    others: set[str] = set()
    stems: set[Path] = set()
    for file in source.files:
        if file.with_suffix("") in stems:
            continue
        stems.add(file.with_suffix(""))
        for row in _read(file):
            if row.subtask != subtask:
                others.add(row.subtask)
            elif row.id in rows:
                raise RowError(f"{file}: the id {row.id!r} is in another file too")
            else:
                rows[row.id] = row
    if not rows:
        raise RowError(f"no row of {subtask!r}; there are rows of {', '.join(sorted(others))}")
    return list(rows.values())


def _length(file: Path, root: Path) -> int | None:
    """The number of tokens that a part of the file's path is named after, the last one first."""
    top = root if root.is_dir() else root.parent
    for part in (file.stem, *(each.name for each in file.parents if top in (each, *each.parents))):
        if part.isdecimal():
            return int(part)
    return None


def _read(file: Path) -> list[Row]:
    if file.suffix != ".parquet":
        return nvidia.read(file) if nvidia.is_nvidia(_first_line(file)) else read_jsonl(file)
    from rows.parquet import (
        read_parquet,
    )  # late: most rows are not Parquet, and its library is slow to load

    return read_parquet(file)


def _first_line(file: Path) -> object:
    """The value of a file's first line; ``None`` if it is no JSON, which the reader then says."""
    with file.open("rb") as lines, contextlib.suppress(ValueError):
        return strict_json.loads(next(lines, b""))
    return None
