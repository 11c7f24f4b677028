"""Counts what became of a document's text."""

from prefixqa.reading import Report
from prefixqa.sources.raw import Raw


def report(raw: Raw, cleaned: str) -> Report:
    """The report of a document and its cleaned text."""
    given = _visible(raw.text) if raw.characters is None else raw.characters
    return Report(given, _visible(cleaned), raw.notes)


def _visible(text: str) -> int:
    return len("".join(text.split()))
