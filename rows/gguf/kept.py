"""Where converted models are kept: a folder each, named by the checksum of the file it was made from.

gguf1-CHECKSUM/     a checkpoint as save_pretrained writes it, and gguf.json, which says where it is from
NAME                a link to one of them: a model that was fetched by that name
sums/               checksums of files, so that a file is read once for each state of it
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
from tqdm import tqdm

from rows.whole import write_bytes

FORMAT = 1  # of folders; another one makes other folders
ORIGIN = "gguf.json"
_CHUNK = 1 << 24
_LONG = 1 << 30  # bytes from which on reading a file shows its progress


@dataclass(frozen=True)
class Origin:
    """What a converted folder was made from.

    Attributes:
        file: name of the GGUF file. sha256, size: of it, hex and bytes.
        name: of the model, as the file says it; empty if it does not. licence: likewise.
        packages: with versions, if it came from packages. transformers: version that converted it.
        reading: of the file, as ``rows.gguf.reading.version`` counts them.
    """

    file: str
    sha256: str
    size: int
    name: str = ""
    licence: str = ""
    packages: tuple[str, ...] = ()
    transformers: str = ""
    reading: int = 1

    @property
    def fingerprint(self) -> str:
        """The model's identity in records: the file's checksum, and how it was converted."""
        return f"gguf{self.reading}-sha256:{self.sha256}"


def models_folder() -> Path:
    """Where converted models are kept: ``$SQUEEZED_MODELS``, or a folder of the user's cache."""
    if given := os.environ.get("SQUEEZED_MODELS"):
        return Path(given).expanduser().absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base.absolute() / "squeezed" / "models"


def folder_of(sha256: str) -> Path:
    """Where the model of a GGUF file with that checksum is, or would be."""
    return models_folder() / f"gguf{FORMAT}-{sha256[:16]}"


def is_there(folder: Path, reading: int | None = None) -> bool:
    """Whether a folder of ``models_folder`` holds a whole model; if asked for, made by that reading."""
    if not (folder / ORIGIN).is_file():
        return False
    found = origin(folder) if reading is not None else None
    return found is None or found.reading == reading


def named(name: str) -> Path | None:
    """The folder of a model that was fetched by a name; None if there is none."""
    if not name or Path(name).name != name:
        return None
    folder = (models_folder() / name).resolve()
    return folder if is_there(folder) else None


def origin(folder: Path) -> Origin | None:
    """What a folder was converted from; None for any folder that is not one of ``models_folder``.

    A copy elsewhere may have been changed since, so there the file's checksum says nothing.
    """
    if folder.parent.resolve() != models_folder().resolve():
        return None
    try:
        found = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        return Origin(**{**found, "packages": tuple(found["packages"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_origin(folder: Path, found: Origin) -> None:
    """Writes what a folder was converted from: the last file, which makes it whole."""
    write_bytes(folder / ORIGIN, (json.dumps(asdict(found), indent=1) + "\n").encode())


@contextlib.contextmanager
def held(name: str) -> Iterator[None]:
    """Holds a name of ``models_folder`` against other processes, and waits for one that has it.

    Raises:
        OSError: the folder cannot be written, or cannot lock.
    """
    folder = models_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f".{name}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            tqdm.write(f"another process makes {folder / name}; waiting for it")
            lock.acquire()
    except NotImplementedError as error:
        raise OSError(f"{folder} is on a file system without locks") from error
    try:
        yield
    finally:
        lock.release()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex. It is kept with size and time of change, and read from there next time.

    Raises:
        OSError: the file cannot be read.
    """
    path = path.resolve()
    stat = path.stat()
    state = [str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    note = models_folder() / "sums" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["state"] == state:
            return str(known["sha256"])
    except (OSError, ValueError, TypeError, KeyError):
        pass  # not seen yet, or the note is damaged
    content = hashlib.sha256()
    with (
        path.open("rb") as file,
        tqdm(
            total=stat.st_size,
            unit="B",
            unit_scale=True,
            leave=False,
            desc=f"checksum of {path.name}",
            disable=stat.st_size < _LONG,
        ) as bar,
    ):
        while chunk := file.read(_CHUNK):
            content.update(chunk)
            bar.update(len(chunk))
    found = content.hexdigest()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        write_bytes(note, json.dumps({"state": state, "sha256": found}).encode())
    return found
