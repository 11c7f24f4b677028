r"""What is known while a document is read: what is to come, its own commands, and the text so far."""

import re
from collections import Counter
from collections.abc import Callable

from prefixqa.sources.latex import names
from prefixqa.sources.latex.macros import Arguments, Macro
from prefixqa.sources.latex.tokens import END, Token, Tokens

MAX_DEPTH = 40  # of formulas, headings and notes inside one another; deeper ones are plain text
Others = Callable[[str], str | None]


class State:
    r"""One document while it is read. ``run`` comes from the reader.

    Args:
        source: of its main file. others: the content of a file that ``\input`` names, or None.

    Attributes:
        macros, environments, theorems, flags: what the document defines itself. verbatims: environments
            whose text stays as it is.
        branches: of conditions that are open: True in the first of one that holds, False in the second of
            one that does not, None in either of one that is not known.
        unknown: commands and environments without a meaning here, and how often they came.
        missing: files that are included and are not there.
        front: title, author and date, not read yet.
        opened: environments. maths: whether a formula is being read.
        inside, over: whether the document's body has begun, and ended.
        room: tokens that macros may still make; a bomb of them is cut, a real document never is.
    """

    def __init__(self, source: str, others: Others) -> None:
        self.tokens = Tokens(source)
        self.arguments = Arguments(self.tokens)
        self.others = others
        self.macros: dict[str, Macro] = {}
        self.environments: dict[str, tuple[Macro, Macro]] = {}
        self.verbatims = set(names.VERBATIM)
        self.theorems: dict[str, list[Token]] = {}
        self.flags: dict[str, bool] = {"true": True, "false": False}
        self.branches: list[bool | None] = []
        self.unknown: Counter[str] = Counter()
        self.missing: list[str] = []
        self.front: dict[str, list[Token]] = {}
        self.opened: list[str] = []
        self.maths = False
        self.inside = self.over = False
        self.room = 200_000 + 10 * len(source)
        self._out: list[str] = []
        self._notes: list[str] = []
        self._depth = 0

    def run(self) -> None:
        """Reads up to the end of what was pushed last, or of everything."""
        raise NotImplementedError

    def put(self, text: str) -> None:
        """Adds to the text."""
        self._out.append(text)

    def put_lines(self, text: str) -> None:
        """Adds lines that stay lines, set apart by four blanks."""
        lines = [f"    {line}" for line in text.strip("\n").split("\n")]
        self.put("\n\n" + "\n".join(lines) + "\n\n")

    def put_note(self, text: str) -> None:
        """Adds a note, which follows the paragraph."""
        if text.strip():
            self._notes.append(" ".join(text.split()))

    def end_paragraph(self) -> None:
        """An empty line, and the notes of the paragraph behind it."""
        self.maths = (
            False  # no formula goes over one: its dollar sign is missing, or was meant as such
        )
        self.put("\n\n")
        if self._notes and not self._depth:
            notes, self._notes = self._notes, []
            self.put("\n\n".join(notes) + "\n\n")

    def text(self, tokens: list[Token]) -> str:
        """Some tokens as text, read on their own; beyond ``MAX_DEPTH`` they are left to be read next."""
        if self._depth >= MAX_DEPTH:
            self.tokens.push(tokens)
            return ""
        outer, self._out = self._out, []
        maths, opened = self.maths, len(self.opened)
        self._depth += 1
        self.tokens.push([*tokens, END])
        self.run()
        self._depth -= 1
        self.maths = maths
        del self.opened[opened:]
        inner, self._out = "".join(self._out), outer
        return inner

    def line(self, tokens: list[Token]) -> str:
        """Some tokens as one line of text."""
        return " ".join(self.text(tokens).split())

    def written(self) -> str:
        """All the text so far."""
        self.end_paragraph()
        return "".join(self._out)

    def forget(self) -> None:
        """Drops the text so far: what stands before a document's body."""
        self._out.clear()
        self._notes.clear()
        self.opened.clear()


def typeset(text: str) -> str:
    """Dashes and quotes as TeX sets them."""
    if not re.search(r"--|``|''|[!?]`", text):
        return text.replace("`", "'")
    for source, shown in (
        ("---", "—"),
        ("--", "–"),
        ("``", '"'),
        ("''", '"'),
        ("!`", "¡"),
        ("?`", "¿"),
    ):
        text = text.replace(source, shown)
    return text.replace("`", "'")


def bracketed(text: str) -> str:
    """A part of a formula, in brackets if it is more than a word or number."""
    text = " ".join(text.split())
    return (
        text if re.fullmatch(r"\w+|.|\(.*\)|[+-]\w", text) and ")" not in text[:-1] else f"({text})"
    )
