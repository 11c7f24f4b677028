"""A set's files go into its folder all together: a run that is killed leaves the old set, or the new one.

They are written into a folder of their own, which is renamed when it is whole. From then on the new set is
the one that counts: whoever comes next moves what has not been moved yet.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

MANIFEST = "manifest.json"
WRITING, READY = ".writing", ".ready"  # being filled; whole, and being moved
OLD = "data/*/*.parquet"  # files that the next set may not have


@contextlib.contextmanager
def new_set(out: Path) -> Iterator[Path]:
    """A folder for all files of a set, ``manifest.json`` last; they are in ``out`` when the block is over.

    Raises:
        ValueError: another process writes into ``out``. OSError: a file cannot be written or moved.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        _recover(out)
        (out / WRITING).mkdir()
        try:
            yield out / WRITING
            (out / WRITING).rename(out / READY)
        except BaseException:
            shutil.rmtree(out / WRITING, ignore_errors=True)
            raise
        _move(out)


def recover(out: Path) -> None:
    """Finishes what a killed process left in a set's folder, if there is such a folder.

    Raises:
        ValueError: another process writes into it. OSError: a file cannot be moved.
    """
    if (out / READY).is_dir() or (out / WRITING).is_dir():
        with _alone(out):
            _recover(out)


def _recover(out: Path) -> None:
    if (out / READY / MANIFEST).is_file():
        _move(out)
    shutil.rmtree(
        out / READY, ignore_errors=True
    )  # a set whose manifest has been moved is complete
    shutil.rmtree(out / WRITING, ignore_errors=True)


def _move(out: Path) -> None:
    """Moves the files of a whole set to their places, the manifest last; what has been moved stays."""
    ready = out / READY
    names = set(json.loads((ready / MANIFEST).read_text())["files"])
    (out / MANIFEST).unlink(missing_ok=True)  # of the older set, whose files go now
    for old in out.glob(OLD):
        if old.relative_to(out).as_posix() not in names:
            old.unlink()
    for name in sorted(names):
        if (ready / name).is_file():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (ready / name).replace(out / name)
    (ready / MANIFEST).replace(out / MANIFEST)
    shutil.rmtree(ready, ignore_errors=True)


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keeps other processes out of a folder; the lock ends with the process, however it ends."""
    handle = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another process writes into {out}; wait for it, or stop it"
            ) from error
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)
