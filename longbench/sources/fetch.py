"""What is fetched from elsewhere: pinned, checked against its checksum, and kept.

Pins and checksums: the data archives' SHA-256 are those that the hub's own LFS entries show at these
revisions; the official prompt files are pinned by commit. For two of those no checksum could be had
while this was written, so theirs is written down when they first come and must be the same ever
after (``manifest.json`` beside them).
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longbench.errors import LongBenchError
from rows import download
from rows.whole import write_bytes

CODE_COMMIT = "2e00731f8d0bff23dc4325161044d0ed8af94c1e"
PROMPTS_URL = f"https://raw.githubusercontent.com/THUDM/LongBench/{CODE_COMMIT}/"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Archive:
    """A data file on the Hugging Face hub."""

    repo: str
    revision: str
    file: str
    sha256: str

    @property
    def url(self) -> str:
        """Where a browser gets it."""
        return f"https://huggingface.co/datasets/{self.repo}/resolve/{self.revision}/{self.file}"


V1 = Archive(
    "zai-org/LongBench",
    "5e628be450b7e67fb7ae6e201bd6d8f7056f7672",
    "data.zip",
    "cb45b11a4133c6bc1d6a44b0f8e701335ff1e543195db1103472e575857f7f64",
)
V2 = Archive(
    "zai-org/LongBench-v2",
    "2b48e494f2c7a2f0af81aae178e05c7e1dde0fe9",
    "data.json",
    "15d61c22d92c96900b3c4948b6aeea218d3214b676a65df48e7b8555604c7fe2",
)

# Path in the official repository -> SHA-256 where it is known.
PROMPT_FILES: dict[str, str | None] = {
    "LongBench/config/dataset2prompt.json": None,
    "LongBench/config/dataset2maxlen.json": None,
    "prompts/0shot.txt": "68a162252bc9ff71d5d7abca3d69bb31aac3c35f832d657a2866f2018b8a6950",
}


def cache_folder() -> Path:
    """Folder of fetched prompt files; the hub's own cache keeps the data."""
    return download.cache_folder() / "longbench" / CODE_COMMIT


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex; read once for each state of it."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def archive(wanted: Archive) -> Path:
    """The local file of an archive, from the hub's cache or fetched into it.

    Raises:
        LongBenchError: it cannot be had, or is not what it should be.
    """
    from huggingface_hub import hf_hub_download  # late: takes a second to import

    try:
        path = Path(
            hf_hub_download(wanted.repo, wanted.file, repo_type="dataset", revision=wanted.revision)
        )
    except Exception as error:  # a dozen kinds: offline, refused, no such file, no disk
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise LongBenchError(
            f"{wanted.file} of {wanted.repo} is not in the hub's cache and cannot be fetched "
            f"({reason}); get it from {wanted.url} and give its place with data=PATH, or use the "
            "small data=fixture"
        ) from error
    if (seen := sha256_of(path)) != wanted.sha256:
        raise LongBenchError(
            f"{path} has SHA-256 {seen}; expected {wanted.sha256} for {wanted.repo} at "
            f"{wanted.revision}. Delete the file and run again, or give your own with data=PATH"
        )
    return path


def snapshot(repo: str, revision: str | None, patterns: list[str]) -> Path:
    """Folder with the files of a hub data set that match ``patterns``: a Parquet mirror.

    Raises:
        LongBenchError: it cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=patterns)
        )
    except Exception as error:  # as above
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise LongBenchError(
            f"the data set {repo} is not in the hub's cache and cannot be fetched ({reason}); give a "
            "local folder, zip or Parquet file with data=PATH, or use the small data=fixture"
        ) from error


def prompt_files() -> Path:
    """Folder of the official prompt files, fetched at the pinned commit if they are not there.

    Raises:
        LongBenchError: a file cannot be had, or has changed since it was fetched.
    """
    folder = cache_folder()
    known = _manifest(folder)
    for name, checksum in PROMPT_FILES.items():
        path = folder / Path(name).name
        if not path.is_file():
            content = _get(name)
            _check(content, checksum, PROMPTS_URL + name)
            write_bytes(path, content)
            known[path.name] = {
                "url": PROMPTS_URL + name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "checksum": "known" if checksum else "recorded when fetched",
            }
            write_bytes(folder / MANIFEST, (json.dumps(known, indent=1) + "\n").encode())
        _check(path.read_bytes(), known.get(path.name, {}).get("sha256", checksum), str(path))
    return folder


def _get(name: str) -> bytes:
    url = PROMPTS_URL + name
    try:
        return download.download(url, Path(name).name)
    except OSError as error:
        raise LongBenchError(
            f"the official prompt file {Path(name).name} cannot be fetched ({error}); get it from "
            f"{url} and give its folder with prompts=PATH, or use prompts=suite"
        ) from error


def _check(content: bytes, checksum: str | None, what: str) -> None:
    if checksum is None:
        return  # not known to anybody here; recorded in the manifest instead
    seen = hashlib.sha256(content).hexdigest()
    if seen != checksum:
        raise LongBenchError(
            f"{what} has SHA-256 {seen}; expected {checksum}. Delete {cache_folder()} to fetch it "
            "again"
        )


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise LongBenchError(f"{path} is damaged ({error}); delete {folder}") from error
    return dict(content)
