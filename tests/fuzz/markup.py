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


def _loader(name: str, ending: str) -> Loader:
    """Marks of one format in any order; at times one of them a thousand times over."""
    pieces = PIECES[ending]

    def good(folder: Path) -> list[bytes]:
        return [b"Some words stand here.\n"]

    def heaped(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
        chosen = [draw.choice(pieces) for _ in range(draw.choice((3, 10, 40, 150)))]
        if draw.random() < 0.1:
            many = draw.choice(pieces) * draw.choice((100, 1000))
            chosen.insert(draw.randrange(len(chosen)), many)
        return draw.choice(("", " ")).join(chosen).encode()

    def read_markup(content: bytes, folder: Path) -> None:
        """Reads and cleans; what is left has no characters that cannot be written."""
        text = clean(FORMATS[ending]("fuzzed", content))
        text.encode()
        if not text:
            raise SourceError("nothing is left")

    return Loader(name, 3, good, heaped, read_markup, (SourceError,))


LOADERS = (_loader("LaTeX", ".tex"), _loader("Markdown", ".md"), _loader("HTML", ".html"))
