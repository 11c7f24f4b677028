"""Files from other places: downloaded once, checked, kept; or given as local files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rows.download import MissingDataError, cache_folder, download
from rows.whole import write_bytes


@dataclass(frozen=True)
class Remote:
    """A file with its place and checksum. ``override``: setting that names a local copy."""

    name: str
    url: str
    sha256: str
    override: str


SQUAD = Remote(
    "squad-dev-v2.0.json",
    "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v2.0.json",
    "80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8",
    "squad",
)
# The authors' host no longer answers; this is the copy that RULER's own script falls back to.
HOTPOTQA = Remote(
    "hotpot_dev_distractor_v1.json",
    "https://huggingface.co/datasets/namlh2004/hotpotqa/resolve/"
    "7e54db4656209750ff487f6fdf8e39a66dba136b/hotpot_dev_distractor_v1.json",
    "e3da074df24e8369009918aa5cdbdd254dadcde4c63f7569d36afd6f2268caa8",
    "hotpotqa",
)
_RULER = "https://raw.githubusercontent.com/NVIDIA/RULER/c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a"
CONSTANTS, NIAH, TRACKING = (
    Remote(f"ruler-c3f5e3b-{name}", f"{_RULER}/scripts/data/synthetic/{name}", sha256, "prompts")
    for name, sha256 in (
        ("constants.py", "6296e901d495ec6200dc3f68993ea13d8282e3c0dbe1a8c47967f111105d1fde"),
        ("niah.py", "e9cada0a7660d274fe73a1338a90a7087e17b630169f1aaf14a8d3221c6805b5"),
        (
            "variable_tracking.py",
            "9aac483420e158d116ab63fc43b9606bdb284ac0c053288c30776d5c365530e5",
        ),
    )
)


def fetch(remote: Remote, folder: Path | None = None) -> Path:
    """The file, downloaded if it is not in ``folder`` yet; its content is always checked.

    Raises:
        MissingDataError: it cannot be had, or what came is another file.
    """
    path = (folder or cache_folder()) / remote.name
    if path.is_file() and _sha256(path.read_bytes()) == remote.sha256:
        return path
    try:
        content = download(remote.url, remote.name)
    except OSError as error:
        raise MissingDataError(
            f"{remote.name} is not in {path.parent} and cannot be downloaded from {remote.url} "
            f"({error}); get it elsewhere and give {remote.override}=PATH"
        ) from error
    if (found := _sha256(content)) != remote.sha256:
        raise MissingDataError(
            f"{remote.url} has sha256 {found[:16]}..., not {remote.sha256[:16]}...: it is another "
            f"file, or was cut off; if you want it, give {remote.override}=PATH"
        )
    write_bytes(path, content)
    return path


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
