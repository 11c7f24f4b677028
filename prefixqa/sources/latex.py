"""Text out of LaTeX: sections stay, what stands for a reader's eye only goes."""

import functools
import re
from collections.abc import Callable
from typing import Any

from prefixqa.sources.raw import Raw, SourceError, decode, iso_date

_COMMENT = re.compile(r"(?<!\\)%.*")
_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^}]+)\}")
_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
_GONE = "thebibliography|figure|tikzpicture|tabular|lstlisting|verbatim|algorithm|algorithmic"
_BLOCK = re.compile(rf"\\begin\s*\{{({_GONE})(\*?)\}}(.*?)\\end\s*\{{\1\2\}}", re.DOTALL)
_CAPTION = re.compile(r"\\caption\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_SECTION = re.compile(
    r"\\(?:part|chapter|section|subsection|subsubsection)\*?\s*(?:\[[^\]]*\])?\s*"
    r"\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_REFERENCE = re.compile(
    r"~?\\(?:cite[a-z]*|parencite|textcite|label|vspace|hspace|bibliography|bibliographystyle|"
    r"includegraphics|thanks|footnotemark)\*?(?:\[[^\]]*\])*\s*\{[^{}]*\}"
)
_TITLE = re.compile(r"\\title\s*(?:\[[^\]]*\])?\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_DATE = re.compile(r"\\date\s*\{([^}]*)\}")
MARK = "SECTIONMARK"  # survives the conversion to text, which drops a bare "##"


def latex(name: str, content: bytes, others: Callable[[str], str | None] = lambda _: None) -> Raw:
    """One LaTeX document.

    Args:
        others: the content of a file that ``\\input`` names, or None.

    Raises:
        SourceError: no body, or one that cannot be read.
    """
    source = _COMMENT.sub("", decode(content).replace("\r\n", "\n"))
    for _ in range(8):  # files that include files; not for ever, should two include each other
        if not _INPUT.search(source):
            break
        source = _INPUT.sub(lambda found: _COMMENT.sub("", others(found[1]) or ""), source)
    title, date = _TITLE.search(source), _DATE.search(source)
    body = _BODY.search(source)
    if "\\documentclass" in source and not body:
        raise SourceError("LaTeX without \\begin{document}")
    marked = _without_blocks(body[1] if body else source)
    marked = _SECTION.sub(lambda found: f"\n\n{MARK} {found[1]}\n\n", _REFERENCE.sub("", marked))
    text = to_text(marked).replace(MARK, "##")
    if not text.strip():
        raise SourceError("LaTeX without any text")
    heading = to_text(title[1]).strip() if title else ""
    return Raw(
        name,
        re.sub(r"(?m)^[ \t]+|[ \t]+(?=[.,;:)])", "", text),  # what a dropped \\cite leaves
        name,
        title=" ".join(heading.split()),
        published=iso_date(date[1]) if date else None,
        wrapped=True,
    )


def _without_blocks(body: str) -> str:
    """The body without figures, tables and listings; their captions stay as paragraphs."""

    def captions(found: re.Match[str]) -> str:
        return "\n\n" + "\n\n".join(_CAPTION.findall(found[3])) + "\n\n"

    # \\maketitle would put in today's date.
    body = _TITLE.sub("", _DATE.sub("", body)).replace("\\maketitle", "")
    return re.sub(r"\\(?:begin|end)\s*\{table\*?\}(?:\[[^\]]*\])?", "", _BLOCK.sub(captions, body))


@functools.cache
def _converter() -> Any:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text", keep_comments=False, strict_latex_spaces=False)


def to_text(source: str) -> str:
    """LaTeX markup as plain text.

    Raises:
        SourceError: markup that cannot be read.
    """
    try:
        return str(_converter().latex_to_text(source))
    except Exception as error:  # the parser's own errors, and index errors on broken markup
        raise SourceError(f"LaTeX that cannot be read ({type(error).__name__})") from error
