r"""What a document defines itself: commands, environments, theorems, switches."""

from collections.abc import Callable

from prefixqa.sources.latex.macros import Macro, by_pattern, by_specification
from prefixqa.sources.latex.state import State
from prefixqa.sources.latex.tokens import OPEN, SPACE, Token, written

MAX_PATTERN = 50  # tokens between the name of a \def and its body


def _name(state: State) -> str:
    """The command that is defined, with braces around it or not."""
    found = [each for each in state.arguments.mandatory() if each.kind != "sp"]
    return found[0].text if found and found[0].kind == "cs" else ""


def _word(state: State) -> str:
    """A name in braces."""
    return "".join(written(each) for each in state.arguments.mandatory()).strip()


def _counted(state: State) -> tuple[str, dict[int, tuple[Token, ...]]]:
    """``[3][default]`` as kinds of arguments and defaults."""
    count = "".join(each.text for each in state.arguments.optional() or [])
    number = int(count) if count.isdecimal() and len(count) == 1 else 0
    default = state.arguments.optional() if number else None
    if default is None:
        return "m" * number, {}
    return "O" + "m" * (number - 1), {1: tuple(default)}


def newcommand(state: State) -> None:
    r"""``\newcommand{\x}[n][default]{body}``."""
    state.arguments.star()
    name = _name(state)
    kinds, default = _counted(state)
    _keep(state, name, Macro(tuple(state.arguments.mandatory()), kinds, default))


def providecommand(state: State) -> None:
    r"""As ``\newcommand``, unless there is one already."""
    before = dict(state.macros)
    newcommand(state)
    state.macros |= before


def plain_def(state: State) -> None:
    r"""``\def\x#1#2{body}``."""
    state.tokens.skip_blanks()
    token = state.tokens.next()
    pattern: list[Token] = []
    while (following := state.tokens.peek()) is not None and following != OPEN:
        if following.kind in ("end", "par") or len(pattern) >= MAX_PATTERN:
            return
        pattern.append(following)
        state.tokens.next()
    body = state.arguments.braced() or []
    if token is not None and token.kind == "cs":
        while pattern and pattern[-1] == SPACE and not body:
            pattern.pop()
        _keep(state, token.text, by_pattern(pattern, body))


def let(state: State) -> None:
    r"""``\let\x=\y``."""
    state.tokens.skip_blanks()
    name = state.tokens.next()
    token = state.tokens.skip_blanks()
    if token is not None and token.text == "=":
        state.tokens.next()
        state.tokens.skip_blanks()
    meaning = state.tokens.next()
    if meaning is not None and meaning.kind == "end":
        state.tokens.push([meaning])
    elif name is not None and name.kind == "cs" and meaning is not None and meaning != name:
        # Of a command of LaTeX itself the old meaning is kept, whatever its name stands for later.
        own = Token("old", meaning.text) if meaning.kind == "cs" else meaning
        old = state.macros.get(meaning.text) if meaning.kind == "cs" else None
        _keep(state, name.text, old or Macro((own,)))


def new_document_command(state: State) -> None:
    r"""``\NewDocumentCommand\x{m o}{body}``."""
    name, specification = _name(state), _word(state)
    _keep(state, name, by_specification(specification, state.arguments.mandatory()))


def newenvironment(state: State) -> None:
    r"""``\newenvironment{x}[n][default]{begin}{end}``."""
    state.arguments.star()
    name = _word(state)
    kinds, default = _counted(state)
    begin, end = state.arguments.mandatory(), state.arguments.mandatory()
    state.environments[name] = Macro(tuple(begin), kinds, default), Macro(tuple(end))


def new_document_environment(state: State) -> None:
    r"""``\NewDocumentEnvironment{x}{m o}{begin}{end}``."""
    name, specification = _word(state), _word(state)
    begin, end = state.arguments.mandatory(), state.arguments.mandatory()
    state.environments[name] = by_specification(specification, begin), Macro(tuple(end))


def newtheorem(state: State) -> None:
    r"""``\newtheorem{x}[counter]{Title}[section]``."""
    state.arguments.star()
    name = _word(state)
    state.arguments.optional()
    state.theorems[name] = state.arguments.mandatory()
    state.arguments.optional()


def math_operator(state: State) -> None:
    r"""``\DeclareMathOperator{\x}{name}``."""
    state.arguments.star()
    name = _name(state)
    _keep(state, name, Macro((*state.arguments.mandatory(), SPACE)))


def newif(state: State) -> None:
    r"""``\newif\ifx`` makes the switches ``\xtrue`` and ``\xfalse``; it begins as false."""
    state.tokens.skip_blanks()
    token = state.tokens.next()
    if token is not None and token.kind == "cs" and token.text.startswith("if"):
        state.flags.setdefault(token.text[2:], False)


def verbatim_environment(state: State) -> None:
    r"""``\lstnewenvironment{x}``, ``\newminted{x}``: an environment of code."""
    state.arguments.optional()
    name = _word(state)
    state.verbatims |= {name, f"{name}code"}
    state.arguments.optional()
    for _ in range(2):
        state.arguments.optional()
        state.arguments.braced()


def short_verb(state: State) -> None:
    r"""``\MakeShortVerb{\|}``: from now on bars stand around text as it is."""
    state.arguments.star()
    character = _name(state)
    if len(character) == 1 and character not in state.tokens.short_verbs:
        state.tokens.short_verbs += character


def no_short_verb(state: State) -> None:
    r"""``\DeleteShortVerb{\|}``."""
    state.tokens.short_verbs = state.tokens.short_verbs.replace(_name(state) or "\0", "")


def _keep(state: State, name: str, macro: Macro) -> None:
    # A command that calls itself by its old meaning would never end.
    if name and Token("cs", name) not in macro.body:
        state.macros[name] = macro


DEFINITIONS: dict[str, Callable[[State], None]] = {
    "newcommand": newcommand, "renewcommand": newcommand, "providecommand": providecommand,
    "DeclareRobustCommand": newcommand, "def": plain_def, "gdef": plain_def, "edef": plain_def,
    "xdef": plain_def, "let": let, "NewDocumentCommand": new_document_command,
    "RenewDocumentCommand": new_document_command, "DeclareDocumentCommand": new_document_command,
    "ProvideDocumentCommand": new_document_command, "newenvironment": newenvironment,
    "renewenvironment": newenvironment, "NewDocumentEnvironment": new_document_environment,
    "DeclareDocumentEnvironment": new_document_environment, "newtheorem": newtheorem,
    "DeclareMathOperator": math_operator, "newif": newif, "MakeShortVerb": short_verb,
    "lstnewenvironment": verbatim_environment, "newminted": verbatim_environment,
    "DefineVerbatimEnvironment": verbatim_environment, "newtcblisting": verbatim_environment,
    "DefineShortVerb": short_verb, "DeleteShortVerb": no_short_verb, "UndefineShortVerb": no_short_verb,
}  # fmt: skip
