"""What makes a folder of rows a data set for others: a manifest with checksums, beside a card."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from rows.whole import write_bytes

MANIFEST, CARD = "manifest.json", "README.md"
LOCK = ".manifest.lock"


def note(
    folder: Path, path: Path, entry: dict[str, Any], card: Callable[[dict[str, Any]], str]
) -> None:
    """Adds a file of ``folder`` to its manifest, and writes the card anew.

    Args:
        entry: what the manifest says of the file besides size and checksum. card: of a manifest.

    Raises:
        ValueError: there is another kind of manifest or card. OSError: they cannot be written.
    """
    content = path.read_bytes()
    found = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **entry}
    with _alone(folder):
        manifest = read_manifest(folder)
        manifest["files"][path.relative_to(folder).as_posix()] = found
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        write_bytes(folder / MANIFEST, text.encode())
        write_bytes(folder / CARD, card(manifest).encode())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Inside, no other generator changes the manifest of the folder, which several may fill at once."""
    lock = folder / LOCK
    with contextlib.ExitStack() as held:
        # Where the file system has no locks, one generator at a time has to do.
        with contextlib.suppress(NotImplementedError):
            held.enter_context(filelock.FileLock(lock))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.unlink()  # the folder is for others; who waits for the file makes it anew


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, an empty one if there is none.

    Raises:
        ValueError: the file is not a manifest, or a card of others stands in its place.
    """
    path = folder / MANIFEST
    if not path.exists():
        if (folder / CARD).exists():
            raise ValueError(f"{folder / CARD} is there already and not ours; give another out=")
        return {"files": {}}
    try:
        manifest = json.loads(path.read_text())
        files = manifest["files"]
        if isinstance(files, dict) and all(isinstance(each, dict) for each in files.values()):
            return manifest
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"{path} is not a manifest of this command; give another out=, or remove it")


def check(folder: Path) -> list[str]:
    """The files of a manifest that are not there any more, or not as they were written."""
    wrong = []
    for name, entry in read_manifest(folder)["files"].items():
        path = folder / name
        good = path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        wrong += [] if good else [name]
    return wrong


def of_one_kind(manifest: dict[str, Any]) -> list[str]:
    """The files that ``datasets`` is told of: it reads one format in a folder, so the one with more
    files, or Parquet."""
    names = sorted(manifest["files"])
    parquet = [name for name in names if name.endswith(".parquet")]
    others = [name for name in names if not name.endswith(".parquet")]
    return others if len(others) > len(parquet) else parquet


def config_name(file: str) -> str:
    """Name under which ``datasets`` finds a file, for instance ``niah_single_1_4096``."""
    path = Path(file)
    return f"{path.parent.as_posix().replace('/', '_')}_{path.stem}"
