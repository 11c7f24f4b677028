"""Where the data of a task lie: a folder, a zip, one file, a hub data set, or the fixture."""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from longbench.errors import LongBenchError
from longbench.sources import fetch

FIXTURE = Path(__file__).resolve().parents[1] / "fixture" / "data"
V2_NAME = "v2"
# What zipfile raises on damaged, encrypted (RuntimeError) and unknown (NotImplementedError) archives.
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
# Names that a task's file may have, in the order they are looked for; the last is the hub's own
# layout of Parquet mirrors.
_FILES = ("{0}.jsonl", "data/{0}.jsonl", "{0}.json", "{0}.parquet", "data/{0}.parquet")
_PARTS = ("{0}/test-*.parquet", "{0}/*.parquet", "data/{0}/*.parquet")
_V2_FILES = ("v2.jsonl", "data/v2.jsonl", "data.json", "longbench_v2.jsonl")


@dataclass(frozen=True)
class Source:
    """The data of one task.

    Attributes:
        path: a file. member: its member, if it is a zip.
        origin: for records, without places of this machine: ``fixture``, a hub repository with its
            revision, or the file's name.
        checked: its checksum was known beforehand, and is right.
    """

    path: Path
    member: str | None
    origin: str
    checked: bool = False

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    def read(self) -> bytes:
        """The content.

        Raises:
            LongBenchError: it cannot be read.
        """
        try:
            if self.member is None:
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except DAMAGED as error:
            raise LongBenchError(f"{self.name} cannot be read: {error}") from error


def find(data: str, task: str) -> Source:
    """The data of a task.

    Args:
        data: ``fixture``; ``official``, the pinned archive; ``hub:REPO`` or ``hub:REPO@REVISION``,
            a mirror on the hub in the official format; or the path of a folder, a zip or a file.
        task: name of a task (``qasper``, ``qasper_e``, ``v2``).

    Raises:
        LongBenchError: there is none; says where to get it and what to set.
    """
    if data == "fixture":
        return _in_folder(FIXTURE, task, "fixture", True)
    if data == "official":
        wanted = fetch.V2 if task == V2_NAME else fetch.V1
        path = fetch.archive(wanted)
        origin = f"{wanted.repo}@{wanted.revision[:12]}"
        return (
            Source(path, None, origin, True)
            if task == V2_NAME
            else _in_zip(path, task, origin, True)
        )
    if data.startswith("hub:"):
        repo, _, revision = data.removeprefix("hub:").partition("@")
        parts = [each.format(task) for each in _PARTS]
        folder = fetch.snapshot(repo, revision or None, [*_names(task), *parts])
        return _in_folder(folder, task, f"{repo}@{revision or folder.name[:12]}", False)
    return _local(Path(data).expanduser(), task)


def _local(path: Path, task: str) -> Source:
    if path.is_dir():
        inside = path / "data.zip"
        if inside.is_file() and task != V2_NAME and _look(path, task) is None:
            return _in_zip(inside, task, inside.name, False)
        return _in_folder(path, task, path.name, False)
    if not path.is_file():
        raise LongBenchError(
            f"data: there is no {path}; expected a folder, zip, .jsonl or .parquet file with the "
            f"official data (get them from {_url(task)}), or official, hub:REPO or fixture"
        )
    if zipfile.is_zipfile(path):
        return _in_zip(path, task, path.name, False)
    if path.suffix not in (".jsonl", ".json", ".parquet"):
        raise LongBenchError(f"data: {path} is no zip, .jsonl, .json or .parquet file")
    return Source(path, None, path.name)


def _in_folder(folder: Path, task: str, origin: str, checked: bool) -> Source:
    path = _look(folder, task)
    if path is None:
        raise LongBenchError(
            f"data: there is no {task}.jsonl (or .parquet) in {folder}; get it from {_url(task)}, "
            "or give another data=PATH"
        )
    return Source(path, None, origin, checked)


def _names(task: str) -> list[str]:
    """The names that the one file of a task may have."""
    return list(_V2_FILES) if task == V2_NAME else [each.format(task) for each in _FILES]


def _look(folder: Path, task: str) -> Path | None:
    for name in _names(task):
        if (folder / name).is_file():
            return folder / name
    for pattern in _PARTS:
        parts = sorted(folder.glob(pattern.format(task)))
        if len(parts) > 1:
            raise LongBenchError(
                f"data: {folder} has {task} in {len(parts)} parts; join them into one Parquet file"
            )
        if parts:
            return parts[0]
    return None


def _in_zip(path: Path, task: str, origin: str, checked: bool) -> Source:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except DAMAGED as error:
        raise LongBenchError(f"data: {path} is not a zip that can be read: {error}") from error
    v2 = [Path(each).name for each in _V2_FILES]
    wanted = v2 if task == V2_NAME else [f"{task}.jsonl", f"{task}.parquet"]
    found = [name for name in names if name.rpartition("/")[2] in wanted and "__MACOSX" not in name]
    if len(found) != 1:
        raise LongBenchError(
            f"data: {path} has {len(found)} members named {wanted[0]}; expected one. The official "
            f"archive is at {_url(task)}"
        )
    return Source(path, found[0], origin, checked)


def _url(task: str) -> str:
    return (fetch.V2 if task == V2_NAME else fetch.V1).url
