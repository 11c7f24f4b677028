"""Every paid response, on disk before it is used: a crash costs what was on its way, nothing more."""

import hashlib
import json
import sqlite3
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock


@dataclass(frozen=True)
class Response:
    """What a service answered.

    Attributes:
        content: the text, None if there is none. finish: the service's finish reason.
        refusal: the model's refusal in words, if it refused.
        tokens_in, tokens_out: as the service counted them; 0 where it does not say.
    """

    content: str | None
    finish: str
    refusal: str | None
    tokens_in: int
    tokens_out: int


class Store:
    """Responses by key, in one SQLite file; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            ValueError: another process uses the folder, or the file in it is damaged.
            OSError: the folder cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(folder / "responses.lock")
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise ValueError(f"another process uses {folder}; wait for it, or stop it") from error
        path = folder / "responses.sqlite"
        try:
            self._file = sqlite3.connect(path, isolation_level=None)
            # FULL: a response that was committed survives power loss, not only a kill.
            self._file.executescript(
                """PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
                CREATE TABLE IF NOT EXISTS responses(key TEXT PRIMARY KEY, kind TEXT, response TEXT);
                CREATE TABLE IF NOT EXISTS failures(kind TEXT PRIMARY KEY, count INTEGER);
                CREATE TABLE IF NOT EXISTS batches(id TEXT PRIMARY KEY, keys TEXT, done INTEGER);"""
            )
        except sqlite3.DatabaseError as error:
            self._lock.release()
            raise ValueError(
                f"{path} is damaged ({error}); what was paid is in it, so it is not replaced: move it away"
            ) from error

    def get(self, key: str) -> Response | None:
        """The response kept under a key."""
        row = self._file.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
        return Response(**json.loads(row[0])) if row else None

    def put(self, key: str, kind: str, response: Response) -> None:
        """Keeps a response; on disk when this returns."""
        self._file.execute(
            "INSERT OR IGNORE INTO responses VALUES (?, ?, ?)",
            (key, kind, json.dumps(asdict(response))),
        )

    def count_failure(self, kind: str) -> None:
        """Counts a failed attempt that gave no response."""
        self._file.execute(
            "INSERT INTO failures VALUES (?, 1) ON CONFLICT(kind) DO UPDATE SET count = count + 1",
            (kind,),
        )

    def failures(self) -> Counter[str]:
        """All failed attempts by kind, of this run and of those before it."""
        return Counter(dict(self._file.execute("SELECT kind, count FROM failures")))

    def put_batch(self, batch: str, keys: dict[str, str]) -> None:
        """Notes a batch that was sent: its id, and for each of its requests key and kind."""
        self._file.execute(
            "INSERT OR REPLACE INTO batches VALUES (?, ?, 0)", (batch, json.dumps(keys))
        )

    def open_batches(self) -> dict[str, dict[str, str]]:
        """Batches that were sent and not yet fetched."""
        rows = self._file.execute("SELECT id, keys FROM batches WHERE done = 0").fetchall()
        return {batch: json.loads(keys) for batch, keys in rows}

    def close_batch(self, batch: str) -> None:
        """Notes that everything of a batch has been fetched."""
        self._file.execute("UPDATE batches SET done = 1 WHERE id = ?", (batch,))

    def close(self) -> None:
        """Closes the file and lets other processes in."""
        self._file.close()
        self._lock.release()


def key_of(value: Any) -> str:
    """The key of a request: a hash of all that decides its response."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
