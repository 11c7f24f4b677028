"""Word recall: the share of a reference's words that a text holds, each as often as it comes."""

import re
import unicodedata
from collections import Counter

_WORD = re.compile(r"[^\W\d_]{2,}")
MIN_PAGES = 4  # fewer tell nothing about what heads every page


def words(text: str) -> Counter[str]:
    """The words of two letters and more, in lower case, those cut at a line's end put together.

    Numbers are none: the ones of pages and sections are not in every format.
    """
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "").replace("\u2010", "-")
    text = re.sub(r"(?<=[a-z])-\s*\n\s*(?=[a-z])", "", text)
    return Counter(found.lower() for found in _WORD.findall(text))


def recall(reference: str, text: str) -> float:
    """The share of the reference's words that ``text`` holds, in [0, 1]; 1 for an empty reference."""
    wanted = words(reference)
    total = wanted.total()
    return (wanted & words(text)).total() / total if total else 1.0


def without_running_heads(text: str) -> str:
    """Text of pages, with form feeds between them, without the lines that most pages begin or end with.

    They stand in a document once; printed, they come on every page.
    """
    pages = [page.strip().split("\n") for page in text.split("\f") if page.strip()]
    if len(pages) < MIN_PAGES:
        return text
    edges = Counter(
        _key(line) for page in pages for line in {*page[:3], *page[-3:]} if _WORD.search(line)
    )
    often = {line for line, count in edges.items() if count > max(3, len(pages) / 8)}
    kept = []
    for page in pages:
        edge = {*range(3), *range(len(page) - 3, len(page))}
        kept += [
            line
            for number, line in enumerate(page)
            if number not in edge or _key(line) not in often
        ]
    return "\n".join(kept)


def _key(line: str) -> str:
    return re.sub(r"[\divxlc]+\b", "#", line.strip())
