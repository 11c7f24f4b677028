"""Text, title, licence and date out of each file format."""

import io
import logging
import re
from collections import Counter
from collections.abc import Callable

from prefixqa.sources.latex import latex
from prefixqa.sources.raw import Raw, SourceError, decode, iso_date

_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FIELD = re.compile(r"^(title|licen[cs]e|date|published)\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
_DROPPED = ("script", "style", "nav", "header", "footer", "aside", "form", "noscript", "template")
_BLOCKS = ("p", "li", "dt", "dd", "blockquote", "pre", "td", "th", "figcaption")
_HEADS = ("h1", "h2", "h3", "h4", "h5", "h6")


def text(name: str, content: bytes) -> Raw:
    """Plain text."""
    return Raw(name, decode(content), name, wrapped=True)


def markdown(name: str, content: bytes) -> Raw:
    """Markdown; title, licence and date from a YAML block in front, if there is one."""
    body = decode(content).replace("\r\n", "\n")
    front = _FRONT.match(body)
    fields = {}
    if front:
        fields = {key.lower(): value.strip("\"' ") for key, value in _FIELD.findall(front[1])}
        body = body[front.end() :]
    body = re.sub(r"```.*?```|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", body)  # pictures
    body = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", body)  # links keep their words
    body = re.sub(r"(\*\*|__|`)(.+?)\1", r"\2", body)
    body = re.sub(r"^#{1,6}\s*(.+?)\s*#*$", r"\n## \1\n", body, flags=re.MULTILINE)
    heading = re.search(r"^## (.+)$", body, re.MULTILINE)
    return Raw(
        name,
        body,
        name,
        title=fields.get("title") or (heading[1] if heading else ""),
        licence=fields.get("license") or fields.get("licence"),
        published=iso_date(fields.get("published") or fields.get("date")),
        wrapped=True,
    )


def html(name: str, content: bytes) -> Raw:
    """HTML without navigation and scripts; date and licence from its meta tags."""
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup

    try:
        page = BeautifulSoup(content, "html.parser")
    except (ParserRejectedMarkup, RecursionError) as error:
        raise SourceError(f"HTML that cannot be read ({type(error).__name__})") from error
    title = page.title.get_text(" ", strip=True) if page.title else ""
    dates = (
        "article:published_time",
        "citation_publication_date",
        "citation_date",
        "dc.date",
        "date",
    )
    published = next((found for each in dates if (found := iso_date(_meta(page, each)))), None)
    link = page.find(["a", "link"], rel="license")
    licence = _meta(page, "dc.rights") or (str(link.get("href")) if link else None)
    for node in page.find_all(_DROPPED):
        node.decompose()
    parts = []
    for node in page.find_all([*_HEADS, *_BLOCKS]):
        if node.find_parent(_BLOCKS):
            continue  # is a part of the text of that block
        words = " ".join(node.get_text(" ", strip=True).split())
        words = re.sub(r"\s+([.,;:!?)])", r"\1", words)
        if words:
            parts.append(f"## {words}" if node.name in _HEADS else words)
    body = "\n\n".join(parts) or page.get_text("\n", strip=True)
    return Raw(name, body, name, title=title, licence=licence, published=published)


def _meta(page, name: str) -> str | None:  # type: ignore[no-untyped-def]
    for key in ("name", "property"):
        if found := page.find("meta", attrs={key: re.compile(f"^{re.escape(name)}$", re.I)}):
            return str(found.get("content") or "") or None
    return None


def pdf(name: str, content: bytes) -> Raw:
    """The text layer of a PDF, without lines that head or foot most pages."""
    from pypdf import PdfReader
    from pypdf.errors import PdfReadError, PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what matters is raised as well
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise SourceError("encrypted PDF; save it without a password")
        pages = [page.extract_text() for page in reader.pages]
        found = reader.metadata
        title = str(found.title or "") if found else ""
        created = str(found.get("/CreationDate", "")) if found else ""
    except (PdfReadError, PyPdfError) as error:
        raise SourceError(f"damaged PDF ({error})") from error
    except SourceError:
        raise
    except Exception as error:  # pypdf lets many kinds through on damaged files
        raise SourceError(f"damaged PDF ({type(error).__name__}: {error})") from error
    if not "".join(pages).strip():
        raise SourceError("a PDF without a text layer (scanned?); it would need OCR")
    # A page ends wherever it is full, often inside a sentence.
    body = "\n".join(_without_running_lines(pages))
    return Raw(name, body, name, title=title, published=iso_date(created), wrapped=True)


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


FORMATS: dict[str, Callable[[str, bytes], Raw]] = {
    ".txt": text,
    ".md": markdown,
    ".tex": latex,
    ".pdf": pdf,
    ".html": html,
    ".htm": html,
}
