"""Cleaning: one way to write each character, whole paragraphs, headings kept, lists of references dropped."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

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
_NUMBER = r"(?:\d+(?:\.\d+)*\.?|[IVX]+\.)"
_HEADING = re.compile(rf"^## *(?:{_NUMBER} +)?(.+?) *:?$")
# Sections that may be lists and no text, and what a line of such a list looks like.
_CONTENTS = re.compile(r"(?:table of )?contents|list of (?:figures|tables)|index", re.IGNORECASE)
_REFERENCES = re.compile(
    r"references|bibliography|works cited|literature(?: cited)?|notes and references", re.IGNORECASE
)
_LINKS = re.compile(r"see also|external links|further reading", re.IGNORECASE)
_LEADERS = re.compile(r"(?:\.{4,}|(?:\. ){3,}\.?|\u2026{2,})\s*[\divxlc]*\s*$")
_ENTRY_OF_CONTENTS = re.compile(rf"^(?:{_NUMBER}|[A-Z]\.\d*)\s+\S.*[^.!?]$|\S\s+\d{{1,4}}$")
_ENTRY_OF_REFERENCES = re.compile(
    r"^\[[^\]]{1,20}\]|^\d{1,3}\.\s|\b(?:1[89]|20)\d\d[a-z]?\b|doi|https?://|\bvol\.|\bpp\."
)
# A heading without a mark, as PDF and plain text have it: "3.1 Results", "REFERENCES", "Appendix A".
_BARE_HEADING = re.compile(
    rf"^(?:{_NUMBER} +[A-Z][^.!?]{{2,60}}|[A-Z][A-Z ]{{3,40}}|Appendix.{{0,40}})$"
)
_LIST_HEADING = re.compile(
    rf"^(?:{_NUMBER} +)?(?:{_CONTENTS.pattern}|{_REFERENCES.pattern}|{_LINKS.pattern}) *:?$",
    re.IGNORECASE,
)
_UNDERLINE = re.compile(r"^(?:={3,}|-{3,}|~{3,}|\*{3,})$")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S|^\s*[|+][-| +]")
_BOILERPLATE = re.compile(
    r"^(?:subscribe to|sign up for|log ?in|click here|share this)\b|\buses? cookies\b|"
    r"^page \d+ of \d+$|^downloaded from|this page intentionally|permission to (?:make|copy)|"
    r"^copyright \(c\)|^\W*all rights reserved|^©|^isbn[ :]|^issn[ :]|^doi:|^arxiv:\d",
    re.IGNORECASE,
)
MAX_BOILERPLATE = 200  # characters; a longer paragraph is content that happens to begin so
MAX_LISTS = 0.5  # share of a document that lists of contents and references may take; more is kept
CODE = "    "  # in front of lines that stay as they are


def clean(raw: Raw) -> str:
    """The document's text: paragraphs with an empty line between them, headings as ``## Heading``.

    Lists of contents and references go where every line of them looks like one; text behind them stays.
    """
    text = normalise(raw.text)
    parts = re.split(r"\n[^\S\n]*\n\s*?(?=[^\S\n]*\S)", text)
    blocks = [block for part in parts for block in _blocks(part, raw)]
    kept = _without_lists(blocks)
    if sum(map(len, kept)) < (1 - MAX_LISTS) * sum(map(len, blocks)):
        kept = [block for block in blocks if not _LEADERS.search(block)] or blocks
    kept = [block for block in kept if not _is_boilerplate(block)]
    return "\n\n".join(_without_empty_sections(kept))


def _without_lists(blocks: list[str]) -> list[str]:
    """The blocks without lists of contents and references, each up to the first block that is no entry."""
    headings = Counter(_title(each) for each in blocks if each.startswith("## "))
    kept: list[str] = []
    entry: Callable[[str], bool] | None = None
    held: list[str] = []  # the list's heading, until an entry shows that it is one
    for block in blocks:
        if _LEADERS.search(block) and not block.startswith("## "):
            continue
        title = _title(block) if block.startswith("## ") else ""
        if title and _LIST_HEADING.match(title):
            kept += held
            held, entry = [block], _entry_of(title, headings)
            continue
        if entry is not None and entry(block):
            held = []
            continue
        if held and not title:
            kept += held
        held, entry = [], None
        kept.append(block)
    return kept


def _title(block: str) -> str:
    found = _HEADING.match(block)
    return found[1].casefold() if found else block.casefold()


def _entry_of(title: str, headings: Counter[str]) -> Callable[[str], bool]:
    """What tells an entry of a list from text, for the list under a heading."""

    def contents(block: str) -> bool:
        if block.startswith(
            "## "
        ):  # a numbered entry looks like a heading; the real one comes again
            return headings[_title(block)] > 1
        lines = block.strip().split("\n")
        return all(
            len(line) <= 120
            and (_ENTRY_OF_CONTENTS.search(line.strip()) or headings[_title(line.strip())] > 0)
            for line in lines
        )

    def references(block: str) -> bool:
        return not block.startswith("## ") and bool(_ENTRY_OF_REFERENCES.search(block))

    def links(block: str) -> bool:
        return not block.startswith("## ") and len(block) <= 100 and block[-1:] not in ".!?:"

    if _CONTENTS.fullmatch(title):
        return contents
    return references if _REFERENCES.fullmatch(title) else links


def normalise(text: str) -> str:
    """NFC, plain quotes and blanks, no ligatures, no control or invisible characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").translate(_TABLE))
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each)[0] != "C")


def _blocks(part: str, raw: Raw) -> list[str]:
    """The paragraphs and headings of a stretch without empty lines."""
    lines = part.strip("\n").split("\n")
    if raw.code and all(line.startswith(CODE) for line in lines):
        return ["\n".join(line.rstrip() for line in lines)]
    if (
        raw.wrapped
        and len(lines) > 1
        and sum(bool(_COLUMNS.search(each)) for each in lines) > len(lines) / 2
    ):
        return ["\n".join(CODE + line.strip() for line in lines)]
    found: list[list[str]] = [[]]
    plain = [" ".join(line.split()) for line in lines]
    for number, line in enumerate(plain):
        if not line or (_UNDERLINE.match(line) and found[-1] == [] and number):
            continue
        underlined = (
            number + 1 < len(plain) and _UNDERLINE.match(plain[number + 1]) and len(line) <= 80
        )
        if _LEADERS.search(line) or line.startswith("## "):
            found += [[line], []]
        elif _BARE_HEADING.match(line) or _LIST_HEADING.match(line) or (underlined and raw.wrapped):
            found += [[f"## {line}"], []]
        else:
            found[-1].append(line)
    joined = [_join(each) if raw.wrapped else "\n".join(each) for each in found if each]
    return [block for block in joined if block]


def _join(lines: list[str]) -> str:
    """Wrapped lines as one; a word cut at a line's end is put together."""
    text = "\n".join(lines)
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)
    return text.replace("\n", " ")


def _is_boilerplate(block: str) -> bool:
    if len(block) > MAX_BOILERPLATE or block.startswith(("## ", CODE)):
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
