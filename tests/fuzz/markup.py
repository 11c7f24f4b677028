"""LaTeX, Markdown and HTML put together from their own marks: what damage to a good file seldom gives."""

import random
from collections.abc import Sequence
from pathlib import Path

from prefixqa.sources.clean import clean
from prefixqa.sources.formats import FORMATS
from prefixqa.sources.raw import SourceError
from tests.fuzz.harness import Loader

PIECES = {
    ".tex": [
        *r"\newcommand \def \let \begin \end \item \frac \sqrt \verb \footnote \section \input \title".split(),
        *r"\iffalse \ifx \else \fi \newif \newenvironment \csname \endcsname \MakeShortVerb \\ \{ \} \% \' \c".split(),
        *r"{tabular} {verbatim} {document} {equation} {itemize} {comment} \a \b #1 #2 ## [ ] { } $ $$ & ~ ^ _ %".split(),
        *r"\NewDocumentCommand \IfValueTF \hskip 1pt * | = word word".split(), " ", "\n", "\n\n",
    ],
    ".md": ["#", "##", "*", "**", "_", "`", "```", "~~~", "[", "](", ")", "![", "<", ">", "> ", "- ", "1. ", "|", "|-|",
            "<!--", "-->", "<b>", "\\", "&amp;", "[a]: b", "word", " ", "    ", "\n", "\n\n", "---\n"],
    ".html": ["<p>", "</p>", "<div>", "</div>", "<b", ">", "<a href=\"", "\"", "'", "<!--", "-->", "<!", "</", "<", "&", "&#",
              ";", "<table>", "<tr>", "<td>", "</table>", "<pre>", "</pre>", "<script>", "</script>", "<title>", "<svg>",
              "<nav>", "</nav>", "<sup>", "<br>", "<meta charset=", "<h1>", "</h1>", "word", " ", "\n"],
}  # fmt: skip


def good(folder: Path) -> list[bytes]:
    """One plain file of each format."""
    return [f"{ending}\nSome words stand here.\n".encode() for ending in PIECES]


def heaped(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Marks of one format in any order; at times one of them a thousand times over."""
    ending = draw.choice(sorted(PIECES))
    pieces = PIECES[ending]
    chosen = [draw.choice(pieces) for _ in range(draw.choice((3, 10, 40, 150)))]
    if draw.random() < 0.1:
        chosen.insert(draw.randrange(len(chosen)), draw.choice(pieces) * draw.choice((100, 1000)))
    return f"{ending}\n{draw.choice(('', ' ')).join(chosen)}".encode()


def read_markup(content: bytes, folder: Path) -> None:
    """Reads and cleans one file; what is left has no characters that cannot be written."""
    ending, _, body = content.partition(b"\n")
    text = clean(FORMATS[ending.decode()]("fuzzed", body))
    text.encode()
    if not text:
        raise SourceError("nothing is left")


LOADERS = (Loader("LaTeX, Markdown and HTML", 8, good, heaped, read_markup, (SourceError,)),)
