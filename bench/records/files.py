"""Per-example records of one run: JSON lines that survive a kill, a full disk and a second start.

A record is on the disk before the next example begins, and carries a checksum of itself. Starting again
cuts off a line that a kill left torn, moves damaged lines out of the way, and goes on after the examples
that are there.
"""

import contextlib
import json
import os
import re
import secrets
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
from pydantic_core import from_json

from bench.config.errors import BusyError, RunError
from rows import strict_json

CONFIG, RECORDS, SUMMARY = "config.json", "records.jsonl", "summary.json"
SKIPPED = "skipped.json"  # why a run cannot be; without records
FAILED, ATTEMPT = "failed.json", "attempt.json"  # bench.records.failures
DIAGNOSTICS = "diagnostics.csv"  # of squeezed-bench skew, which makes no records
DAMAGED = "records.damaged.jsonl"  # lines that were no records any more
LOCK = ".lock"
CHECK = "check"  # field of a line: CRC-32 of the record without it
# How a line begins and ends: its id, and its checksum.
HEAD = re.compile(rb'\{"id": ("(?:[^"\\]|\\.)*")')
END = re.compile(rb', "check": "([0-9a-f]{8})"\}')
END_BYTES = 22
# The status command holds a run's lock for an instant to see whether anybody else has it.
PATIENCE = 0.5


# What a record lacks, in words; None if it is whole (bench.records.stored.flaw).
Flaw = Callable[[dict[str, Any]], str | None]


class RecordFile:
    """The records of one run folder, opened for appending; use ``open_records``.

    ``torn``: a torn last line was cut off. ``damaged``: lines moved to ``records.damaged.jsonl``.
    """

    def __init__(self, folder: Path, flaw: Flaw | None = None) -> None:
        self.path = folder / RECORDS
        self.torn = _cut_torn_line(self.path)
        self.records, self.damaged = _mend(self.path, flaw)
        self.ids = {record["id"] for record in self.records}

    def append(self, record: dict[str, Any]) -> None:
        """Writes one record and waits until the disk has it.

        Raises:
            RunError: it cannot be written; the records before it are intact.
            ValueError: a record of that id is there already, or a number is not finite.
        """
        if record["id"] in self.ids:
            raise ValueError(f"{self.path}: a record of {record['id']!r} is there already")
        line = _text({**record, CHECK: checksum(record)}).encode() + b"\n"
        try:
            _append(self.path, line)
        except OSError as error:
            raise RunError(
                f"cannot write to {self.path}: {error.strerror}; its {len(self.ids)} records are "
                f"intact. Make room and run the same command again: it goes on from there"
            ) from error
        self.records.append(record)
        self.ids.add(record["id"])


@contextmanager
def open_records(
    folder: Path, config: dict[str, Any], flaw: Flaw | None = None
) -> Iterator[RecordFile]:
    """The records of a run, locked against other processes; writes ``config.json`` beside them.

    Args:
        flaw: tells records that cannot be used; their lines are moved away as those that are none.

    Raises:
        BusyError: another process has the run.
        RunError: the folder cannot be written.
    """
    with _locked(folder):
        try:
            # Left by a process that was killed while it replaced a file.
            for torn in folder.glob(".*.tmp"):
                torn.unlink()
            if _read(folder / CONFIG) != _pretty(config):  # a full disk must not stop what is done
                write_json(folder / CONFIG, config)
            records = RecordFile(folder, flaw)
        except OSError as error:
            raise _not_writable(folder, error) from error
        yield records


def in_use(folder: Path) -> bool:
    """Whether a process works on the run in this folder at the moment."""
    path = folder / LOCK
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a reader may look at folders of other people
        return False


def read_records(path: Path) -> list[dict[str, Any]]:
    """All records of a file; a last line that is still being written is left out.

    Raises:
        RunError: a line is not a record, or an id is there twice; names the file and the line.
    """
    records: list[dict[str, Any]] = []
    for number, line, found in _lines(path):
        if isinstance(found, str):
            raise RunError(
                f"{path}, line {number}: {found} ({line[:40]!r}...). Start the run again: it moves the "
                f"line to {DAMAGED} and answers that example anew"
            )
        records.append(found)
    return records


def count_records(path: Path) -> int:
    """How many records a file has, as ``read_records`` would find, without reading what is in them.

    Lines are taken by their checksum, which is many times as fast; where one is not as ``append`` writes it,
    the whole file is read.

    Raises:
        RunError: as ``read_records``.
    """
    seen: set[bytes] = set()
    content = path.read_bytes()
    for line in content[: _complete(content)].split(b"\n")[:-1]:
        head = HEAD.match(line)
        if head is None or head[1] in seen or not _as_written(line):
            return len(read_records(path))
        seen.add(head[1])
    return len(seen)


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file so that a reader sees the old content or the new, never a part.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    _replace(path, _pretty(value).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """What ``write_json`` wrote; None if the file is missing, or damaged."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def now() -> str:
    """The time, for people and in order: ``2026-01-31T12:00:00+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def checksum(record: dict[str, Any]) -> str:
    """CRC-32 of a record without its checksum; a flipped bit in a score would else go unseen."""
    bare = {name: value for name, value in record.items() if name != CHECK}
    return f"{zlib.crc32(_text(bare).encode()):08x}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK)
        lock.acquire(timeout=PATIENCE)
    except filelock.Timeout as error:
        raise BusyError(
            f"another process works on the run {folder}; wait for it, or stop it"
        ) from error
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _not_writable(folder: Path, error: OSError) -> RunError:
    return RunError(
        f"cannot write to {folder}: {error.strerror or error}; what is recorded there is intact. Make "
        "room and run the same command again"
    )


def _mend(path: Path, flaw: Flaw | None) -> tuple[list[dict[str, Any]], int]:
    """The good records; damaged lines are moved to another file, so that their examples run again."""
    if not path.exists():
        return [], 0
    good: list[tuple[bytes, dict[str, Any]]] = []
    bad: list[bytes] = []
    for _, line, found in _lines(path):
        if isinstance(found, str) or (flaw is not None and flaw(found)):
            bad.append(line)
        else:
            good.append((line, found))
    if bad:
        # First the copy, then the removal: a kill between the two loses nothing.
        _append(path.with_name(DAMAGED), b"".join(line + b"\n" for line in bad))
        _replace(path, b"".join(line + b"\n" for line, _ in good))
    return [record for _, record in good], len(bad)


def _lines(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any] | str]]:
    """Number and bytes of each whole line, with its record, or what is wrong with it."""
    seen: dict[str, int] = {}
    content = path.read_bytes()
    for number, line in enumerate(content[: _complete(content)].split(b"\n")[:-1], start=1):
        found = _parse(line)
        if isinstance(found, dict) and found["id"] in seen:
            yield number, line, f"id {found['id']!r} is on line {seen[found['id']]} already"
            continue
        if isinstance(found, dict):
            seen[found["id"]] = number
        yield number, line, found


def _parse(line: bytes) -> dict[str, Any] | str:
    whole = _as_written(line)
    try:
        # What we wrote is JSON as it should be, so the fast reader does, which takes a third of the time.
        record = from_json(line, allow_inf_nan=False) if whole else strict_json.loads(line)
        identifier, score = record["id"], record["score"]
    except (ValueError, KeyError, TypeError):
        return "not a record; the file was changed or damaged"
    if not isinstance(identifier, str):
        return "not a record: its id is no text"
    if not isinstance(score, int | float) or not -1e9 < score < 1e9:
        return "not a record: its score is no number"
    wanted = record.pop(CHECK, None)  # records from before it was written have none
    if wanted is not None and not whole and wanted != checksum(record):
        return "its checksum differs; the line was changed or damaged"
    return record


def _as_written(line: bytes) -> bool:
    """Whether a line is, byte by byte, what ``append`` wrote for a record, its checksum at the end.

    Nearly every line is, and its bytes are checked ten times as fast as the record written once more.
    """
    end = END.fullmatch(line[-END_BYTES:])
    return end is not None and zlib.crc32(line[:-END_BYTES] + b"}") == int(end[1], 16)


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


def _append(path: Path, data: bytes) -> None:
    """All of the data and onto the disk, or nothing of it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    before = os.fstat(descriptor).st_size
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    # os.write may write a part only, for instance when the disk fills up.
    while data:
        data = data[os.write(descriptor, data) :]


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)
