"""Text out of PDF, page by page: what PDFium reads, judged before it is taken."""

import re
from collections import Counter
from typing import Any

from prefixqa.sources.raw import Raw, SourceError, iso_date

LONG_WORD = 18  # letters; pages whose blanks are lost are full of such words
MAX_LONG = 0.08  # share of them from which a page counts as unreadable: 0.006 is the most seen in good ones
MAX_ODD = 0.15  # share of characters that no text has: without meaning, or of no font
MIN_WORDS = 20  # on a page that is judged
MAX_BAD_PAGES = 0.5  # share of unreadable pages from which a document is refused
_HYPHEN = re.compile(r"[\ufffe\x02\u00ad]\r?\n")
# An accent that stands behind a blank, or in front of its letter, as old fonts place it.
_APART = re.compile(
    r"([\u00b4\u0060\u00a8\u02c6\u02dc\u02c7\u00b8\u02d8\u02da])[ ]?([A-Za-z\u0131])"
)
_MARKS = dict(
    zip(
        "\u00b4\u0060\u00a8\u02c6\u02dc\u02c7\u00b8\u02d8\u02da",
        "\u0301\u0300\u0308\u0302\u0303\u030c\u0327\u0306\u030a",
        strict=True,
    )
)


def pdf(name: str, content: bytes) -> Raw:
    """The text layer of a PDF, without lines that head or foot most pages, and without unreadable pages.

    Raises:
        SourceError: damaged, encrypted, without text, or most of its pages cannot be read.
    """
    import pypdfium2
    from pypdfium2 import PdfiumError

    try:
        document = pypdfium2.PdfDocument(content)
    except PdfiumError as error:
        if "assword" in str(error):
            raise SourceError("encrypted PDF; save it without a password") from error
        raise SourceError(f"damaged PDF ({error})") from error
    try:
        pages = [_page(document, number) for number in range(len(document))]
        title = document.get_metadata_value("Title")
        created = document.get_metadata_value("CreationDate")
    except PdfiumError as error:
        raise SourceError(f"damaged PDF ({error})") from error
    finally:
        document.close()
    if not "".join(pages).strip():
        raise SourceError("a PDF without a text layer (scanned?); it would need OCR")
    good = [page for page in pages if readable(page)]
    bad = len(pages) - len(good)
    if bad > MAX_BAD_PAGES * len(pages):
        raise SourceError(
            f"{bad} of {len(pages)} pages have a text layer that cannot be read (blanks lost, or a font "
            "without a table of characters); give another format of it"
        )
    # A page ends wherever it is full, often inside a sentence.
    body = "\n".join(_without_running_lines(good))
    return Raw(
        name,
        body,
        name,
        title=title,
        published=iso_date(created),
        wrapped=True,
        characters=sum(len("".join(page.split())) for page in pages),
        notes=(f"{bad} of {len(pages)} pages left out: their text cannot be read",) if bad else (),
    )


def _page(document: Any, number: int) -> str:
    page = document[number].get_textpage()
    text = _HYPHEN.sub("", page.get_text_bounded()).replace("\r\n", "\n")
    return _APART.sub(lambda found: found[2].replace("\u0131", "i") + _MARKS[found[1]], text)


def readable(page: str) -> bool:
    """Whether a page's text is words: blanks between them, and characters that mean something."""
    words = re.findall(r"[^\W\d_]+", page)
    if len(words) < MIN_WORDS and len(page) < LONG_WORD * MIN_WORDS:
        return True
    long = sum(len(word) >= LONG_WORD for word in words)
    odd = len(re.findall(r"[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f]", page))
    return long <= MAX_LONG * len(words) and odd <= MAX_ODD * len(page)


def _without_running_lines(pages: list[str]) -> list[str]:
    """The pages without page numbers and without lines at their edges that come on most of them."""

    def key(line: str) -> str:
        return re.sub(r"\d+", "#", line.strip())

    split = [page.strip().split("\n") for page in pages]
    edges = Counter(key(line) for lines in split for line in {lines[0], lines[-1]})
    often = {line for line, count in edges.items() if line and count >= max(3, len(pages) // 2)}
    kept = []
    for lines in split:
        while lines and (key(lines[0]) in often or re.fullmatch(r"[\s\d\u2013-]*", lines[0])):
            lines = lines[1:]
        while lines and (key(lines[-1]) in often or re.fullmatch(r"[\s\d\u2013-]*", lines[-1])):
            lines = lines[:-1]
        kept.append("\n".join(lines))
    return kept
