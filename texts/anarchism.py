"""Essay prose: the FAQ of the Debian package ``anarchism``, a document a chapter."""

import re
from pathlib import Path

from texts.archive import members
from texts.document import Document

FOLDER = "usr/share/doc/anarchism/markdown/"
# Lists of links, contents and addresses: no prose.
_NO_PROSE = {"alinks", "arlinks", "biblio", "book", "contact", "index", "links", "new", "pdf"}
_NO_PROSE |= {"supplementary", "translations"}
_HEADING = re.compile(r"^#+ *(.+?) *#*$")
_MARKS = re.compile(r"(?<!\w)_|_(?!\w)|\\(?=[-*_#.])")  # of emphasis and escapes
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_BROKEN = re.compile(r"(?<=[a-z])- (?=[a-z])")  # a hyphen at the end of a line
_GAP = re.compile(r" ([,.;:!?\])])")
_RULE = re.compile(r"[-*_ ]{3,}")
_NO_PARAGRAPH = ("* ", "| ", "+ ")  # contents, tables
_PAGING = re.compile("[\u2039\u203a]")  # the way to the next page
SHORTEST = 200  # characters of a paragraphs' worth of prose; less is a signpost


def documents(path: Path) -> list[Document]:
    """The chapters, in the order of their names.

    Raises:
        MissingDataError: as ``archive.members``.
    """
    files = members(path, lambda name: name.startswith(FOLDER) and _stem(name) not in _NO_PROSE)
    found = []
    for name, content in files.items():
        title, text = _prose(content.decode("utf-8", "replace"))
        if len(text) >= SHORTEST:
            found.append(Document(_stem(name), title or _stem(name), text))
    return found


def _stem(name: str) -> str:
    return name.removeprefix(FOLDER).split(".md")[0]


def _prose(markdown: str) -> tuple[str, str]:
    """The first heading, and the paragraphs: quotations as paragraphs, without marks and links."""
    title, paragraphs = "", []
    for block in re.split(r"\n\s*\n", markdown):
        lines = [line.strip().lstrip(">").strip() for line in block.splitlines()]
        text = " ".join(line for line in lines if line)
        if heading := _HEADING.match(text):
            title = title or _plain(heading[1])
        elif text.startswith(_NO_PARAGRAPH) or _RULE.fullmatch(text) or _PAGING.search(text):
            continue
        elif text := _plain(text):
            paragraphs.append(text)
    return title, "\n\n".join(paragraphs)


def _plain(text: str) -> str:
    text = _MARKS.sub("", text.replace("**", ""))
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    text = _BROKEN.sub("-", text)
    return " ".join(_GAP.sub(r"\1", text.replace("[ ", "[")).split())
