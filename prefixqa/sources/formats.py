"""Which file format is read by what."""

from collections.abc import Callable

from prefixqa.sources.html import html
from prefixqa.sources.latex import latex
from prefixqa.sources.markdown import markdown
from prefixqa.sources.pdf import pdf
from prefixqa.sources.raw import Raw, decode


def text(name: str, content: bytes) -> Raw:
    """Plain text."""
    return Raw(name, decode(content), name, wrapped=True)


FORMATS: dict[str, Callable[[str, bytes], Raw]] = {
    ".txt": text,
    ".md": markdown,
    ".tex": latex,
    ".pdf": pdf,
    ".html": html,
    ".htm": html,
}
