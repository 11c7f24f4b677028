"""Cleaning: one way to write each character, whole paragraphs, headings kept, references dropped."""

import re
import unicodedata

from prefixqa.sources.raw import Raw

# NFC leaves these; NFKC would also turn 10² into 102.
_CHARACTERS = {
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "\u3000": " ",
    "\u00ad": "", "\u200b": "", "\u200c": "", "\u200d": "", "\ufeff": "", "\u2060": "",
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-",
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl",
    "\u2026": "...", "\f": "\n", "\v": "\n", "\r": "\n", "\u2028": "\n", "\u2029": "\n\n",
}  # fmt: skip
_TABLE = str.maketrans(_CHARACTERS)
# Sections without content of their own.
_DROPPED = (
    r"references|bibliography|works cited|literature(?: cited)?|acknowledge?ments?|funding|"
    r"(?:conflicts?|competing|declarations?) of interests?|competing interests|author contributions|"
    r"table of contents|contents|see also|external links|further reading|notes and references"
)
_NUMBER = r"(?:\d+(?:\.\d+)*\.?|[IVX]+\.)"
_HEADING = re.compile(rf"^## *(?:{_NUMBER} +)?(.+?) *$")
_DROPPED_HEADING = re.compile(rf"^(?:## *)?(?:{_NUMBER} +)?(?:{_DROPPED}) *:?$", re.IGNORECASE)
# A heading without a mark, as PDF and plain text have it: "3.1 Results", "REFERENCES", "Appendix A".
_BARE_HEADING = re.compile(
    rf"^(?:{_NUMBER} +[A-Z][^.!?]{{2,60}}|[A-Z][A-Z ]{{3,40}}|Appendix.{{0,40}})$"
)
_BOILERPLATE = re.compile(
    r"all rights reserved|copyright \(c\)|©|cookie|subscribe to|sign up for|log ?in|"
    r"click here|share this|page \d+ of \d+|downloaded from|this page intentionally|"
    r"permission to (?:make|copy)|isbn[ :]|issn[ :]|doi:|https?://\S+$|^arxiv:\d",
    re.IGNORECASE,
)
MAX_BOILERPLATE = 200  # characters; a longer paragraph is content that happens to mention the words


def clean(raw: Raw) -> str:
    """The document's text: paragraphs with an empty line between them, headings as ``## Heading``."""
    text = normalise(raw.text)
    blocks = [block for part in re.split(r"\n\s*\n", text) for block in _blocks(part, raw.wrapped)]
    kept, dropping = [], False
    for block in blocks:
        if _DROPPED_HEADING.match(block):
            dropping = True
            continue
        if _HEADING.match(block):
            dropping = False
        if not dropping and not _is_boilerplate(block):
            kept.append(block)
    return "\n\n".join(_without_empty_sections(kept))


def normalise(text: str) -> str:
    """NFC, plain quotes and blanks, no ligatures, no control or invisible characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").translate(_TABLE))
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each)[0] != "C")


def _blocks(part: str, wrapped: bool) -> list[str]:
    """The paragraphs and headings of a stretch without empty lines."""
    found: list[list[str]] = [[]]
    for line in part.split("\n"):
        line = " ".join(line.split())
        if not line:
            continue
        if line.startswith("## ") or _BARE_HEADING.match(line) or _DROPPED_HEADING.match(line):
            found += [[line if line.startswith("## ") else f"## {line}"], []]
        else:
            found[-1].append(line)
    joined = [_join(lines) if wrapped else "\n".join(lines) for lines in found if lines]
    return [block for block in joined if block]


def _join(lines: list[str]) -> str:
    """Wrapped lines as one; a word cut at a line's end is put together."""
    text = "\n".join(lines)
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)
    return text.replace("\n", " ")


def _is_boilerplate(block: str) -> bool:
    if len(block) > MAX_BOILERPLATE or block.startswith("## "):
        return False
    return bool(_BOILERPLATE.search(block)) or not re.search(r"\w", block)


def _without_empty_sections(blocks: list[str]) -> list[str]:
    """Headings that nothing follows go, and headings that the same heading follows."""
    kept: list[str] = []
    for block in blocks:
        if kept and block.startswith("## ") and kept[-1] == block:
            continue
        kept.append(block)
    while kept and kept[-1].startswith("## "):
        kept.pop()
    return kept
