"""The folder of indexes that concurrent jobs share: one lock a key, whole entries only, a cap.

    KEY/            an entry: it appears by one rename, complete, and is never changed afterwards
    KEY.lock        held while KEY is made; others wait and then find it
    .making-KEY-*   an entry on its way; whoever holds the lock next clears what a kill left of it

Readers take no lock. An entry that is evicted under a reader looks damaged to it, and is made again.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
from tqdm import tqdm

COMPLETE = "prepare.json"  # the file of an entry that is written last, and touched at each use
RESERVE = 64 << 20  # bytes that an index leaves free on its disk, for records


@dataclass(frozen=True)
class IndexCache:
    """Entries by key below ``folder``; together at most ``max_bytes``, None for no cap."""

    folder: Path
    max_bytes: int | None = None

    def entry(self, key: str) -> Path:
        """Where the entry of a key is, or would be."""
        return self.folder / key

    def has(self, key: str) -> bool:
        """Whether there is an entry of that key."""
        return (self.entry(key) / COMPLETE).exists()

    def used(self, key: str) -> None:
        """Notes a use; what was used least recently is evicted first."""
        with contextlib.suppress(OSError):
            os.utime(self.entry(key) / COMPLETE)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Holds the key against other processes, and waits for one that has it.

        Raises:
            OSError: the folder cannot be written, or cannot lock.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(self.folder / f"{key}.lock")
        try:
            try:
                held.acquire(timeout=0)
            except filelock.Timeout:
                tqdm.write(f"another job prepares the context {key[:8]}; waiting for its index")
                held.acquire()
        except NotImplementedError as error:
            raise OSError(f"{self.folder} is on a file system without locks") from error
        try:
            yield
        finally:
            held.release()

    def publish(self, key: str, size: int, write: Callable[[Path], None]) -> None:
        """Makes an entry, with its lock held: all of it appears, or nothing.

        Args:
            size: bytes that it will take, about. write: fills the folder that it is given; the file
                ``COMPLETE`` last.

        Raises:
            OSError: it does not fit, even without all other entries.
        """
        for rest in self.folder.glob(f".making-{key}-*"):
            shutil.rmtree(rest, ignore_errors=True)
        self._make_room(key, size)
        making = self.folder / f".making-{key}-{secrets.token_hex(6)}"
        making.mkdir()  # with the rights that the umask gives: a group may share the cache
        try:
            write(making)
            self._remove(key)  # a damaged one
            making.replace(self.entry(key))
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(_bytes(self.entry(key)) for key in self._by_use())

    def _make_room(self, key: str, size: int) -> None:
        if self.max_bytes is not None and size > self.max_bytes:
            raise OSError(
                f"it takes {size / 1e9:.2g} GB, more than cache_max_gb={self.max_bytes / 1e9:g}"
            )
        sizes = {each: _bytes(self.entry(each)) for each in self._by_use() if each != key}
        while sizes and not self._fits(size, sum(sizes.values())):
            oldest = next(iter(sizes))
            self._remove(oldest)
            del sizes[oldest]
        if not self._fits(size, sum(sizes.values())):
            free = shutil.disk_usage(self.folder).free
            raise OSError(
                f"it takes {size / 1e6:.0f} MB, and its disk has {free / 1e6:.0f} MB left, of which "
                f"{RESERVE / 1e6:.0f} are kept for records"
            )

    def _fits(self, size: int, others: int) -> bool:
        if self.max_bytes is not None and others + size > self.max_bytes:
            return False
        return shutil.disk_usage(self.folder).free >= size + RESERVE

    def _by_use(self) -> list[str]:
        """Keys of all entries, the least recently used first."""
        found = []
        for path in self.folder.glob(f"*/{COMPLETE}"):
            with contextlib.suppress(OSError):  # evicted by another process just now
                found.append((path.stat().st_mtime_ns, path.parent.name))
        return [key for _, key in sorted(found) if not key.startswith(".")]

    def _remove(self, key: str) -> None:
        """Takes an entry away by one rename, so that no reader finds a part of it."""
        if not self.entry(key).exists():
            return
        going = Path(tempfile.mkdtemp(prefix=f".making-{key}-", dir=self.folder))
        with contextlib.suppress(OSError):  # another process was faster
            self.entry(key).replace(going / "old")
        shutil.rmtree(going, ignore_errors=True)


def _bytes(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):  # evicted by another process just now
        for path in folder.rglob("*"):
            total += 0 if path.is_dir() else path.stat().st_size
    return total
