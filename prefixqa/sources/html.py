"""Text out of HTML in one pass over its tags: what is nested deep or never closed costs no more."""

import codecs
import re
from typing import Any

from prefixqa.sources.raw import Raw, SourceError, decode, iso_date

_UNSEEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "select", "button", "textarea", "head")
)
_AROUND = frozenset(("nav", "footer"))
# Classes that generators of manuals give to what stands around the text.
_AROUND_CLASSES = frozenset(
    [
        "navheader",
        "navfooter",
        "sphinxsidebar",
        "related",
        "headerlink",
        "toc",
        "breadcrumb",
        "skip-link",
    ]
)
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
_HEADS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "form",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "menu",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
    ]
)
_DATES = ("article:published_time", "citation_publication_date", "citation_date", "dc.date", "date")
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_LOOKS_LIKE_CELLS = 2


class _Page:
    """Receives the parser's events and keeps the text."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole  # whether what stands around the text is kept
        self.title: list[str] = []
        self.meta: dict[str, str] = {}
        self.licence: str | None = None
        self.parts: list[str] = []
        self.characters = 0
        self._open: list[tuple[str, bool]] = []  # tags, and whether what is in them is left out
        self._left_out = self._unseen = 0  # open tags whose text goes; of these, that nobody sees
        self._line: list[str] = []
        self._cells = 0
        self._in_title = False
        self._pre = 0

    def start(self, tag: str, attributes: Any) -> None:
        given = dict(attributes)
        self._describe(tag, given)
        if tag in _VOID:
            if tag == "br":
                self._line.append("\n")
            elif tag == "hr":
                self._flush()
            return
        classes = (given.get("class") or "").split()
        unseen = tag in _UNSEEN
        around = tag in _AROUND or not _AROUND_CLASSES.isdisjoint(classes)
        around = not self._whole and (around or given.get("role") == "navigation")
        if tag in _BLOCKS or tag in _HEADS:
            self._flush()
        self._open.append((tag, unseen or around))
        self._left_out += unseen or around
        self._unseen += unseen
        if tag == "title":
            self._in_title = True
        if tag == "pre":
            self._pre += 1
        if tag in ("td", "th"):
            self._cells += 1
            if self._cells > 1 and self._line:
                self._line.append(" | ")
        if tag == "sup" and self._line and self._line[-1][-1:].isalnum():
            self._line.append("^")  # 10 to the 2nd is no 102

    def _describe(self, tag: str, given: dict[str, str]) -> None:
        if tag == "meta":
            name = (given.get("name") or given.get("property") or "").lower()
            self.meta.setdefault(name, given.get("content") or "")
        if tag in ("a", "link") and "license" in (given.get("rel") or "").split():
            self.licence = self.licence or given.get("href")

    def end(self, tag: str) -> None:
        if tag in _VOID:
            return
        while self._open:
            name, left_out = self._open.pop()
            if name in _BLOCKS or name in _HEADS:
                self._flush(name)
            self._left_out -= left_out
            self._unseen -= left_out and name in _UNSEEN
            if name == "pre":
                self._pre -= 1
            if name == "title":
                self._in_title = False
            if name == tag:
                return

    def data(self, text: str) -> None:
        if self._in_title:
            self.title.append(text)
            return
        if not self._unseen:
            self.characters += sum(not each.isspace() for each in text)
        if not self._left_out:
            self._line.append(text)

    def comment(self, text: str) -> None:
        """Comments are no text."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Neither are instructions."""

    def close(self) -> "_Page":
        self._flush()
        return self

    def _flush(self, ended: str = "") -> None:
        text = "".join(self._line)
        self._line.clear()
        cells, self._cells = self._cells, 0
        if self._pre and text.strip():
            lines = text.expandtabs(8).strip("\n").split("\n")
            self.parts.append("\n".join(f"    {line.rstrip()}" for line in lines))
            return
        words = re.sub(r"(?<=\S) ([.,;:!?)])", r"\1", " ".join(text.split()))
        if not words:
            return
        if ended in _HEADS:
            self.parts.append(f"## {words}")
        elif cells >= _LOOKS_LIKE_CELLS and ended == "tr":
            self.parts.append(f"    {words}")
        else:
            self.parts.append(words)


def html(name: str, content: bytes) -> Raw:
    """HTML without navigation and scripts; date and licence from its meta tags.

    Raises:
        SourceError: binary content, or nothing that can be read.
    """
    page = parsed(_decoded(content))
    published = next((found for each in _DATES if (found := iso_date(page.meta.get(each)))), None)
    return Raw(
        name,
        "\n\n".join(page.parts),
        name,
        title=" ".join("".join(page.title).split()),
        licence=page.meta.get("dc.rights") or page.licence,
        published=published,
        code=True,
        characters=page.characters,
    )


def parsed(text: str) -> _Page:
    """The parts of a page; what stands around its text stays if it is the most of it. Errors as ``html``."""
    page = _read(text, whole=False)
    if 2 * sum(len("".join(part.split())) for part in page.parts) < page.characters:
        return _read(text, whole=True)
    return page


def _read(text: str, whole: bool) -> _Page:
    from lxml import etree

    page = _Page(whole)
    parser = etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True)
    try:
        parser.feed(text.encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, ValueError, AssertionError) as error:
        if not page.parts:
            raise SourceError(f"HTML that cannot be read ({type(error).__name__})") from error
        page.close()
    return page


def _decoded(content: bytes) -> str:
    said = _CHARSET.search(content[:4096])
    if said is not None and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        try:
            encoding = codecs.lookup(said[1].decode()).name
            if encoding != "utf-8" and not encoding.startswith("utf-16"):
                text = content.decode(encoding, "replace")
                if "\0" not in text:
                    return text
        except (LookupError, ValueError, TypeError):
            pass
    return decode(content)
