"""Sentences of a cleaned document, with their places."""

import re
from dataclasses import dataclass

# A full stop behind these ends no sentence.
_SHORT = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|Fig|Figs|Eq|Eqs|Sec|Ref|Refs|Tab|No|Nos|Vol|cf|vs|approx|resp|"
    r"e\.g|i\.e|et al|ca|al|pp?|ed|eds)|\b[A-Z])\.$"
)
LONGEST_SHORT = 12  # characters of such a word, and some more
_END = re.compile(r"[.!?][\"')\]]*(?=\s+(?:[\"'(\[]?[A-Z0-9]|[\\/][A-Za-z])|\s*$)")


@dataclass(frozen=True)
class Sentence:
    """``text`` stands at ``start`` of the document."""

    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def sentences(text: str) -> list[Sentence]:
    """All sentences of a document's paragraphs, in order; headings, code and tables' rows are none."""
    found = []
    for paragraph in re.finditer(r"[^\n]+(?:\n(?!\n)[^\n]+)*", text):
        if not paragraph[0].startswith(("#", "    ")):
            found += _of_paragraph(paragraph[0], paragraph.start())
    return found


def _of_paragraph(text: str, offset: int) -> list[Sentence]:
    found, start = [], 0
    for end in _END.finditer(text):
        # A few characters are enough, and a PDF may be one long paragraph.
        before = text[max(0, end.start() - LONGEST_SHORT) : end.start() + 1]
        if _SHORT.search(before) and end.end() < len(text):
            continue
        piece = text[start : end.end()]
        if stripped := piece.strip():
            found.append(Sentence(offset + start + piece.index(stripped), stripped))
        start = end.end()
    return found
