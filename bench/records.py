"""Per-example records of one run: JSON lines that survive a kill, a full disk and a second start.

A record is on the disk before the next example begins. Starting again cuts off a line that a kill
left torn, and goes on after the examples that are there.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from bench.errors import RunError

CONFIG, RECORDS, SUMMARY = "config.json", "records.jsonl", "summary.json"
SKIPPED = "skipped.json"  # why a run cannot be; without records


class RecordFile:
    """The records of one run folder, opened for appending; use ``open_records``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORDS
        self.torn = _cut_torn_line(self.path)
        self.records = read_records(self.path) if self.path.exists() else []
        self.ids = {record["id"] for record in self.records}

    def append(self, record: dict[str, Any]) -> None:
        """Writes one record and waits until the disk has it.

        Raises:
            RunError: it cannot be written; the records before it are intact.
            ValueError: a record of that id is there already, or a number is not finite.
        """
        if record["id"] in self.ids:
            raise ValueError(f"{self.path}: a record of {record['id']!r} is there already")
        line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        before = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, line)
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, before)
            raise RunError(
                f"cannot write to {self.path}: {error.strerror}; its {len(self.ids)} records are "
                f"intact. Make room and run the same command again: it goes on from there"
            ) from error
        finally:
            os.close(descriptor)
        self.records.append(record)
        self.ids.add(record["id"])


@contextmanager
def open_records(folder: Path, config: dict[str, Any]) -> Iterator[RecordFile]:
    """The records of a run, locked against other processes; writes ``config.json`` beside them.

    Raises:
        RunError: another process has the run, or the records are damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            write_json(folder / CONFIG, config)
            yield RecordFile(folder)
    except filelock.Timeout as error:
        raise RunError(
            f"another process works on the run {folder}; wait for it, or stop it"
        ) from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """All records of a file; a last line that is still being written is left out.

    Raises:
        RunError: a line is not a record, or an id is there twice; names the file and the line.
    """
    records: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    content = path.read_bytes()
    for number, line in enumerate(content[: _complete(content)].splitlines(), start=1):
        try:
            record = json.loads(line)
            identifier, _ = record["id"], float(record["score"])
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{path}, line {number}: not a record ({line[:40]!r}...); the file was changed or "
                f"damaged. Delete that line: its example is then run again"
            ) from error
        if identifier in seen:
            raise RunError(
                f"{path}, line {number}: id {identifier!r} is on line {seen[identifier]} already; "
                f"delete one of the two"
            )
        seen[identifier] = number
        records.append(record)
    return records


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file so that a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f"{path.name}.tmp{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    temporary.replace(path)


def _cut_torn_line(path: Path) -> bool:
    if not path.exists():
        return False
    content = path.read_bytes()
    end = _complete(content)
    if end == len(content):
        return False
    with path.open("r+b") as file:
        file.truncate(end)
    return True


def _complete(content: bytes) -> int:
    """Bytes up to and with the last line end."""
    return content.rfind(b"\n") + 1


def _write_all(descriptor: int, data: bytes) -> None:
    # os.write may write a part only, for instance when the disk fills up.
    while data:
        data = data[os.write(descriptor, data) :]
