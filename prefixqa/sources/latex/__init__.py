r"""Text out of LaTeX: macros are expanded, code and tables keep their lines, nothing goes unseen."""

import re

from prefixqa.sources.latex.reader import Reader
from prefixqa.sources.latex.state import Others
from prefixqa.sources.raw import Raw, SourceError, decode, iso_date

_ENCODING = re.compile(
    rb"\\usepackage\s*\[(latin1|latin9|ansinew|cp1252|applemac)\]\s*\{inputenc\}"
)
_CODECS = {
    b"latin1": "latin-1",
    b"latin9": "iso8859-15",
    b"ansinew": "cp1252",
    b"applemac": "mac-roman",
}
_MARKUP = re.compile(r"(?<!\\)%.*|\\[A-Za-z@]+\*?|[\\{}$&~\s]")
SHOWN = 5  # names in a note


def latex(name: str, content: bytes, others: Others = lambda _: None) -> Raw:
    r"""One LaTeX document.

    Args:
        others: the content of a file that ``\input`` names, or None.

    Raises:
        SourceError: no body, or no text in it.
    """
    source = decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    uncommented = re.sub(r"(?<!\\)%.*", "", source)
    whole = "\\documentclass" in uncommented or "\\documentstyle" in uncommented
    if whole and not re.search(r"\\begin\s*\{document\}", uncommented):
        raise SourceError("LaTeX without \\begin{document}")
    seen: list[str] = []

    def counted(path: str) -> str | None:
        found = others(path)
        seen.append(found or "")
        return found

    reader = Reader(source, counted)
    reader.run()
    # What a dropped \cite leaves.
    text = re.sub(r"(?<=\S)[ \t]+(?=[.,;:)](?!\w))", "", reader.written())
    if not text.strip():
        raise SourceError("LaTeX without any text")
    reader.over = False  # the end of the body is not that of the title, which is read now
    title, date = (reader.line(reader.front.get(each, [])) for each in ("title", "date"))
    body = source[source.find("\\begin{document}") :] if whole else source
    return Raw(
        name,
        text,
        name,
        title=title,
        published=iso_date(date),
        wrapped=True,
        code=True,
        characters=sum(len(_MARKUP.sub("", each)) for each in (body, *seen)),
        notes=notes(reader),
    )


def notes(reader: Reader) -> tuple[str, ...]:
    """What a reader of the text should know: what was not understood, and files that are not there."""
    found = []
    if reader.unknown:
        names = ", ".join(each for each, _ in reader.unknown.most_common(SHOWN))
        total = reader.unknown.total()
        found.append(f"{total} uses of {len(reader.unknown)} unknown commands, text kept ({names})")
    if reader.missing:
        found.append(f"{len(reader.missing)} included files are not there ({reader.missing[0]})")
    return tuple(found)


def decoded(content: bytes) -> str:
    """The source as text, in UTF-8 or in what it says itself. Errors as ``decode``."""
    said = _ENCODING.search(content)
    try:
        return decode(content)
    except SourceError:
        if said is None or b"\0" in content:
            raise
        return content.decode(_CODECS.get(said[1], "cp1252"), "replace")
