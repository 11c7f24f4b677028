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
        *[r"\newcommand", r"\def", r"\let", r"\begin", r"\end", r"\item", r"\frac", r"\sqrt",
        r"\verb", r"\footnote", r"\section", r"\input", r"\title"],
        *[r"\iffalse", r"\ifx", r"\else", r"\fi", r"\newif", r"\newenvironment", r"\csname",
        r"\endcsname", r"\MakeShortVerb", r"\\", r"\{", r"\}", r"\%", r"\'", r"\c"],
        *[r"{tabular}", r"{verbatim}", r"{document}", r"{equation}", r"{itemize}",
        r"{comment}", r"\a", r"\b", r"#1", r"#2", r"##", r"[", r"]", r"{", r"}",
        r"$", r"$$", r"&", r"~", r"^", r"_", r"%"],
        *[r"\NewDocumentCommand", r"\IfValueTF", r"\hskip", r"1pt", r"*", r"|", r"=", r"word",
        r"word"], " ", "\n", "\n\n",
    ],
    ".md": ["#", "##", "*", "**", "_", "`", "```", "~~~", "[", "](", ")", "![", "<", ">", "> ",
    "- ", "1. ", "|", "|-|",
            "<!--", "-->", "<b>", "\\", "&amp;", "[a]: b", "word", " ", "    ", "\n", "\n\n", "---\n"],
    ".html": ["<p>", "</p>", "<div>", "</div>", "<b", ">", "<a href=\"", "\"", "'", "<!--",
    "-->", "<!", "</", "<", "&", "&#",
              ";", "<table>", "<tr>", "<td>", "</table>", "<pre>", "</pre>", "<script>",
              "</script>", "<title>", "<svg>",
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
