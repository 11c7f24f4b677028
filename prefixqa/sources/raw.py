"""A document as it was found, before cleaning."""

import re
from dataclasses import dataclass
from datetime import date


class SourceError(ValueError):
    """A file or entry that holds no usable document; the message says why, without its name."""


@dataclass(frozen=True)
class Raw:
    """Text with ``##`` in front of its headings where the format shows them.

    Attributes:
        name: the file name, line or id to report problems under. source: for the rows.
        wrapped: line ends inside paragraphs mean nothing (PDF, plain text).
        code: lines with four blanks in front are code or a table's rows, and stay as they are.
        characters: how many the file holds for its reader, without blanks and markup; None: those of
            ``text``.
        notes: what could not be read as it should be, a sentence each.
    """

    name: str
    text: str
    source: str
    title: str = ""
    licence: str | None = None
    published: str | None = None
    wrapped: bool = False
    code: bool = False
    characters: int | None = None
    notes: tuple[str, ...] = ()


def iso_date(text: str | None) -> str | None:
    """The ISO date (or year and month, or year) that a text begins with; None if there is none.

    A date without a day counts as its last possible day would: the guard must not let through what
    may be newer than it looks; so the missing part is left out, and comparisons treat it that way.
    """
    found = re.match(r"\s*(?:D:)?(\d{4})(?:[-/]?(\d{2}))?(?:[-/]?(\d{2}))?", text or "")
    if not found:
        return None
    year, month, day = found.groups()
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join(part for part in (year, month, day) if part)


def decode(content: bytes) -> str:
    """UTF-8 with or without BOM, else UTF-16 with BOM.

    Raises:
        SourceError: neither, or a text with NUL bytes.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(f"not UTF-8 text (byte {error.start}); convert it") from error
    if "\0" in text:
        raise SourceError("binary content, no text")
    return text
