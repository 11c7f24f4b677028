"""Code: the installed Python's standard library, a document a module. Nothing is fetched."""

import sys
import sysconfig
from pathlib import Path

from texts.document import Document

LEFT_OUT = {
    *("test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3", "__pycache__"),
    *("encodings", "pydoc_data"),  # tables and manual pages, no code
}
SHORTEST = 200  # characters; less is no module but a signpost


def documents(folder: Path | None = None) -> list[Document]:
    """The modules without tests, in the order of their paths. Lines end as in Unix, without blanks at ends.

    Args:
        folder: of the library; None: the running Python's.

    Raises:
        ValueError: no module is there.
    """
    folder = folder or Path(sysconfig.get_paths()["stdlib"])
    found = []
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder)
        if LEFT_OUT.intersection(place.parts):
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, OSError):
            continue  # a few files are written in other encodings on purpose
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
        if len(text) >= SHORTEST:
            name = ".".join(place.with_suffix("").parts)
            found.append(Document(name, place.as_posix(), text))
    if not found:
        raise ValueError(f"the standard library's source is not in {folder}")
    return found


def pin() -> str:
    """What stands for a version and a checksum: the Python; the text's fingerprint says the rest."""
    return f"python {'.'.join(map(str, sys.version_info[:3]))} standard library"
