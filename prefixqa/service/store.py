"""Every paid response, on disk before it is used: a crash costs what was on its way, nothing more.

What was sent and never answered is kept as well, because it may have been paid.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock

from prefixqa.service.reply import ReplyError, Response, read_kept
from rows.command import UnfinishedError

# Room that is held for what is on its way when the disk fills up: a few hundred answers.
RESERVE_BYTES = 1 << 20
BUSY = 5.0  # seconds until a file that another program holds is given up
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_CLOSED = (
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH),
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StoreError(ValueError):
    """Kept answers cannot be used: locked, read-only or damaged; the message says which and what to do."""


class StoreFullError(UnfinishedError):
    """The disk is full. What is paid is kept; with more room, the same command goes on."""


class Store:
    """Responses by key, in one SQLite file; one process at a time.

    Attributes:
        full: the disk is full; nothing more should be sent. Answers that come now are still kept.
        set_aside: kept responses that could not be read, of this run.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            StoreError: another process uses the folder, or the file in it is locked, read-only or damaged.
            StoreFullError: there is no room on the disk. OSError: the folder cannot be made.
        """
        self.full = False
        self.set_aside = 0
        self._path = folder / "responses.sqlite"
        self._reserve = folder / "responses.reserve"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(folder / "responses.lock")
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise StoreError(f"another process uses {folder}; wait for it, or stop it") from error
        except OSError as error:
            raise self._of_system(error) from error
        try:
            self._file = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY)
            with self._meaning():
                self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        # FULL: a response that was committed survives power loss, not only a kill.
        self._file.executescript(
            """PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE IF NOT EXISTS responses(key TEXT PRIMARY KEY, kind TEXT, response TEXT);
            CREATE TABLE IF NOT EXISTS failures(kind TEXT PRIMARY KEY, count INTEGER);
            CREATE TABLE IF NOT EXISTS batches(id TEXT PRIMARY KEY, keys TEXT, done INTEGER);
            CREATE TABLE IF NOT EXISTS sent(key TEXT PRIMARY KEY, tokens_in INTEGER, tokens_out INTEGER);
            CREATE TABLE IF NOT EXISTS unreadable(key TEXT, kind TEXT, response TEXT);
            BEGIN IMMEDIATE; COMMIT;"""
        )
        if not self._reserve.exists() or self._reserve.stat().st_size < RESERVE_BYTES:
            try:
                with self._reserve.open("wb") as file:
                    file.write(secrets.token_bytes(RESERVE_BYTES))  # no file system can compress it
                    os.fsync(file.fileno())
            except OSError as error:
                self._reserve.unlink(missing_ok=True)
                raise self._of_system(error) from error

    def get(self, key: str) -> Response | None:
        """The response kept under a key. One that cannot be read is set aside and counted."""
        with self._meaning():
            row = self._file.execute(
                "SELECT kind, response FROM responses WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                return None
            try:
                return read_kept(row[1])
            except ReplyError:
                self.set_aside += 1
                with self._transaction():
                    self._file.execute("INSERT INTO unreadable VALUES (?, ?, ?)", (key, *row))
                    self._file.execute("DELETE FROM responses WHERE key = ?", (key,))
                self.count_failure("unreadable_kept")
                return None

    def put(self, key: str, kind: str, response: Response) -> None:
        """Keeps a response; on disk when this returns, also on a disk that is full: there is room held.

        Raises:
            StoreError, StoreFullError: it could not be kept in spite of that.
        """
        try:
            self._put(key, kind, response)
        except StoreFullError:
            self.full = True
            self._reserve.unlink(missing_ok=True)
            self._put(key, kind, response)

    def _put(self, key: str, kind: str, response: Response) -> None:
        with self._meaning(), self._transaction():
            self._file.execute(
                "INSERT OR IGNORE INTO responses VALUES (?, ?, ?)",
                (key, kind, json.dumps(asdict(response))),
            )
            self._file.execute("DELETE FROM sent WHERE key = ?", (key,))

    def paid(self) -> tuple[int, int]:
        """Tokens of all responses that are kept: in and out."""
        total_in = total_out = 0
        with self._meaning():
            for (text,) in self._file.execute("SELECT response FROM responses"):
                with contextlib.suppress(ReplyError):
                    kept = read_kept(text)
                    total_in, total_out = total_in + kept.tokens_in, total_out + kept.tokens_out
        return total_in, total_out

    def hold(self, key: str, tokens_in: int, tokens_out: int) -> None:
        """Notes that a request is sent now, and what it may cost at most.

        Raises:
            StoreError, StoreFullError: it could not be noted; do not send it.
        """
        self.lose(key)  # sent before, by a run that was killed
        with self._meaning():
            self._file.execute("INSERT INTO sent VALUES (?, ?, ?)", (key, tokens_in, tokens_out))

    def release(self, key: str) -> None:
        """Notes that a request was refused: it costs nothing."""
        with self._meaning():
            self._file.execute("DELETE FROM sent WHERE key = ?", (key,))

    def lose(self, key: str) -> None:
        """Notes that a request will get no answer any more, though it may have been paid."""
        with self._meaning():
            lost = f"{key} lost {secrets.token_hex(8)}"
            self._file.execute("UPDATE sent SET key = ? WHERE key = ?", (lost, key))

    def held(self) -> tuple[int, int, int]:
        """Requests that were sent and not answered, of this run and of all before, and the most tokens
        that they can have cost, in and out."""
        with self._meaning():
            row = self._file.execute(
                "SELECT COUNT(*), COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0) FROM sent"
            ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def count_failure(self, kind: str) -> None:
        """Counts a failed attempt that gave no response."""
        with self._meaning():
            self._file.execute(
                "INSERT INTO failures VALUES (?, 1) ON CONFLICT(kind) DO UPDATE SET count = count + 1",
                (kind,),
            )

    def failures(self) -> Counter[str]:
        """All failed attempts by kind, of this run and of those before it."""
        with self._meaning():
            return Counter(dict(self._file.execute("SELECT kind, count FROM failures")))

    def put_batch(self, batch: str, keys: dict[str, str]) -> None:
        """Notes a batch that was sent: its id, and for each of its requests key and kind."""
        with self._meaning():
            self._file.execute(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, 0)", (batch, json.dumps(keys))
            )

    def open_batches(self) -> dict[str, dict[str, str]]:
        """Batches that were sent and not yet fetched."""
        with self._meaning():
            rows = self._file.execute("SELECT id, keys FROM batches WHERE done = 0").fetchall()
        return {batch: json.loads(keys) for batch, keys in rows}

    def close_batch(self, batch: str) -> None:
        """Notes that everything of a batch has been fetched."""
        with self._meaning():
            self._file.execute("UPDATE batches SET done = 1 WHERE id = ?", (batch,))

    def close(self) -> None:
        """Closes the file and lets other processes in."""
        if hasattr(self, "_file"):
            with contextlib.suppress(
                sqlite3.Error
            ):  # what is committed is safe without a last checkpoint
                self._file.close()
        self._lock.release()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself
                self._file.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _meaning(self) -> Iterator[None]:
        """Says in words what SQLite means."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise self.no_room(str(error)) from error
            if code in _BUSY:
                raise StoreError(
                    f"{self._path} is locked by another program; what was paid is in it: close that program "
                    "and run the same command again"
                ) from error
            if code in _CLOSED:
                raise self._read_only(str(error)) from error
            raise StoreError(
                f"{self._path} is damaged ({error}); what was paid is in it, so it is not replaced: "
                "restore it from a copy, or move it away, and all will be asked and paid anew"
            ) from error

    def _of_system(self, error: OSError) -> Exception:
        # A file system that is read-only, and a folder that belongs to somebody else
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            return self._read_only(error.strerror or str(error))
        return self.no_room(error.strerror or str(error))

    def no_room(self, why: str = "the disk is full") -> StoreFullError:
        """The error of a full disk, to raise."""
        return StoreFullError(
            f"no room for answers in {self._path.parent} ({why}); what is paid is kept: make room and run "
            "the same command again"
        )

    def _read_only(self, why: str) -> StoreError:
        return StoreError(
            f"{self._path} cannot be written ({why}); what was paid is in it: make the folder writable, or "
            "give another one as openai.cache"
        )


def key_of(value: Any) -> str:
    """The key of a request: a hash of all that decides its response."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
