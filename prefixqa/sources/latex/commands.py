r"""Commands that need more than a table: headings, accents, fractions, notes, files."""

import unicodedata
from collections.abc import Callable

from prefixqa.sources.latex import names
from prefixqa.sources.latex.macros import NO_VALUE
from prefixqa.sources.latex.state import State, bracketed
from prefixqa.sources.latex.tokens import OPEN, Token, written

MAX_FILES = 12  # that include one another


def heading(state: State) -> None:
    """A section's title on a line of its own."""
    brackets(state)
    shown = state.line(state.arguments.mandatory())
    if shown:
        state.end_paragraph()
        state.put(f"## {shown}\n\n")


def brackets(state: State) -> None:
    """Leaves out arguments in brackets."""
    while state.tokens.follows("[") and state.arguments.optional() is not None:
        pass


def dropped(state: State, count: int) -> None:
    """Leaves out so many arguments, and those in brackets."""
    if not count:
        return
    state.arguments.star()
    brackets(state)
    for _ in range(count):
        state.arguments.braced()
        brackets(state)


def before_text(state: State, count: int) -> None:
    """Leaves out the arguments that stand before a text, which is read as if it stood alone."""
    state.arguments.star()
    brackets(state)
    for _ in range(count):
        state.arguments.mandatory()
        brackets(state)


def accent(state: State, mark: str) -> None:
    """A letter with its accent as one character, where there is one."""
    letters = state.text(state.arguments.mandatory()).replace("ı", "i").replace("ȷ", "j")
    state.put(unicodedata.normalize("NFC", letters[:1] + mark + letters[1:]) if letters else "")


def fraction(state: State) -> None:
    r"""``\frac{a+b}{c}`` is (a+b)/c."""
    above = bracketed(state.text(state.arguments.mandatory()))
    state.put(f"{above}/{bracketed(state.text(state.arguments.mandatory()))}")


def root(state: State) -> None:
    r"""``\sqrt[3]{x}``."""
    degree = state.arguments.optional()
    shown = f"^({state.line(degree)})" if degree else ""
    state.put(f"√{shown}{bracketed(state.text(state.arguments.mandatory()))}")


def binomial(state: State) -> None:
    r"""``\binom{n}{k}``."""
    above = state.line(state.arguments.mandatory())
    state.put(f"({above} choose {state.line(state.arguments.mandatory())})")


def verb(state: State) -> None:
    r"""``\verb|text|``."""
    mark = state.tokens.raw_character()
    found = state.tokens.raw_until(mark) if mark else None
    state.put(mark if found is None else found)


def inline_code(state: State) -> None:
    r"""``\lstinline[options]|text|`` and ``\url{text}``, in braces or between two equal characters."""
    brackets(state)
    mark = state.tokens.raw_character()
    if mark != "{":
        found = state.tokens.raw_until(mark) if mark.strip() else None
        state.put(mark if found is None else found)
        return
    state.tokens.push([OPEN])
    found_tokens = state.arguments.braced()
    state.put("".join(written(each) for each in found_tokens or []).replace("\\ ", ""))


def note(state: State) -> None:
    """A footnote goes behind its paragraph."""
    brackets(state)
    state.put_note(state.text(state.arguments.mandatory()))


def item(state: State) -> None:
    """An item is a paragraph; its label stands in front."""
    label = state.arguments.optional()
    state.put("\n\n")
    if label:
        state.put(state.line(label) + " ")


def reference(state: State) -> None:
    r"""``\bibitem[label]{key}``: an entry of the references."""
    brackets(state)
    key = "".join(written(each) for each in state.arguments.braced() or [])
    state.put(f"\n\n[{key[:18].strip()}] ")


def new_line(state: State) -> None:
    r"""``\\[2pt]``: a row's end in a table, else a line's."""
    state.arguments.star()
    if state.tokens.follows("["):
        state.arguments.optional()
    state.put("\n")


def include(state: State) -> None:
    r"""``\input{file}``; a file that is not there is named."""
    if state.tokens.next_is("{"):
        name = "".join(written(each) for each in state.arguments.braced() or []).strip()
    else:
        token = state.tokens.next()
        name = token.text if token is not None and token.kind == "txt" else ""
    content = state.others(name) if name and state.tokens.depth < MAX_FILES else None
    if content is not None:
        state.tokens.include(content)
    elif name:
        state.missing.append(name)


def front_matter(name: str) -> Callable[[State], None]:
    r"""``\title``, ``\author``, ``\date``: kept until ``\maketitle``."""

    def keep(state: State) -> None:
        brackets(state)
        state.front[name] = state.arguments.mandatory()

    return keep


def maketitle(state: State) -> None:
    """Title, authors and date, where the document shows them. While one is read it is away, so that none can
    show itself."""
    for name, mark in (("title", "## "), ("author", ""), ("date", "")):
        tokens = state.front.pop(name, [])
        shown = state.line(tokens)
        if tokens:
            state.front.setdefault(name, tokens)
        if shown:
            state.put(f"\n\n{mark}{shown}\n\n")


def named(state: State) -> None:
    r"""``\csname x\endcsname`` is the command ``\x``."""
    found: list[Token] = []
    while len(found) < 50 and (token := state.tokens.next()) is not None:
        if token == Token("cs", "endcsname"):
            state.tokens.push([Token("cs", "".join(each.text for each in found))])
            return
        found.append(token)
        if token.kind in ("end", "par") or token == Token("cs", "csname"):
            break
    state.tokens.push(found)


def if_value(first: bool) -> Callable[[State], None]:
    r"""``\IfNoValueTF``, ``\IfValueTF``, ``\IfBooleanTF``: what an own command's arguments decide.

    Args:
        first: whether the first branch is that of a missing argument.
    """

    def decide(state: State) -> None:
        absent = state.arguments.mandatory() in ([NO_VALUE], [])
        branches = state.arguments.mandatory(), state.arguments.mandatory()
        state.tokens.push(branches[0 if absent == first else 1])

    return decide


def maths(on: bool) -> Callable[[State], None]:
    r"""``\(``, ``\[`` and their ends."""

    def switch(state: State) -> None:
        state.maths = on

    return switch


def text_in_maths(state: State) -> None:
    r"""``\text{...}`` in a formula."""
    tokens, inside = state.arguments.mandatory(), state.maths
    state.maths = False
    shown = state.text(tokens)
    state.maths = inside
    state.put(shown)


def ensure_maths(state: State) -> None:
    r"""``\ensuremath{...}``."""
    tokens, inside = state.arguments.mandatory(), state.maths
    state.maths = True
    shown = state.text(tokens)
    state.maths = inside
    state.put(shown)


def first_of_two(state: State) -> None:
    r"""``\texorpdfstring{text}{bookmark}``."""
    tokens = state.arguments.mandatory()
    state.arguments.mandatory()
    state.tokens.push(tokens)


def meta(state: State) -> None:
    r"""``\meta{x}``, as manuals of LaTeX have it: a name for what is to be filled in."""
    state.put(f"<{state.line(state.arguments.mandatory())}>")


def control_sequence(state: State) -> None:
    r"""``\cs{x}``, as manuals of LaTeX have it: a command's name."""
    state.put(f"\\{state.line(state.arguments.mandatory())}")


def paragraph_end(state: State) -> None:
    r"""``\par`` and what else ends a paragraph."""
    state.end_paragraph()


def class_of_document(state: State) -> None:
    r"""``\documentclass``; classes for manuals of LaTeX have text between bars."""
    brackets(state)
    name = "".join(each.text for each in state.arguments.braced() or [])
    if name in names.BARS and "|" not in state.tokens.short_verbs:
        state.tokens.short_verbs += "|"
    brackets(state)


COMMANDS: dict[str, Callable[[State], None]] = {
    "frac": fraction, "dfrac": fraction, "tfrac": fraction, "cfrac": fraction, "nicefrac": fraction,
    "sqrt": root, "binom": binomial, "dbinom": binomial, "tbinom": binomial, "verb": verb,
    "lstinline": inline_code, "url": inline_code, "path": inline_code, "nolinkurl": inline_code,
    "mintinline": inline_code, "footnote": note, "footnotetext": note, "thanks": note, "marginpar": note,
    "endnote": note, "item": item, "bibitem": reference, "\\": new_line, "input": include, "include": include,
    "subfile": include, "title": front_matter("title"), "author": front_matter("author"),
    "date": front_matter("date"), "maketitle": maketitle, "csname": named,
    "texorpdfstring": first_of_two,
    "IfNoValueTF": if_value(True), "IfValueTF": if_value(False), "IfBooleanTF": if_value(False),
    "(": maths(True), "[": maths(True), ")": maths(False), "]": maths(False), "ensuremath": ensure_maths,
    "text": text_in_maths, "mbox": text_in_maths, "textrm": text_in_maths, "textnormal": text_in_maths,
    "hbox": text_in_maths, "meta": meta, "cs": control_sequence, "cmd": control_sequence,
    "par": paragraph_end,
    "endgraf": paragraph_end, "bigskip": paragraph_end, "medskip": paragraph_end, "smallskip": paragraph_end,
    "documentclass": class_of_document, "documentstyle": class_of_document,
}  # fmt: skip
