r"""TeX's conditions: ``\iffalse`` and the document's own switches; of all others both branches stay."""

from prefixqa.sources.latex.state import State
from prefixqa.sources.latex.tokens import Token

# Conditions with arguments in braces, and how many stand before the two branches.
_BRACED = {
    "ifthenelse": 1, "@ifundefined": 1, "@ifpackageloaded": 1, "ifstrequal": 2, "ifblank": 1, "ifstrempty": 1,
    "ifdef": 1, "ifundef": 1, "iftoggle": 1, "ifbool": 1, "ifempty": 1, "ifcsdef": 1, "IfFileExists": 1,
}  # fmt: skip


def is_condition(name: str) -> bool:
    """Whether a command belongs to a condition."""
    return (
        name in ("else", "fi", "or") or name in _BRACED or (name.startswith("if") and name != "iff")
    )


def condition(state: State, name: str) -> None:
    """Goes into the branch that holds; both branches of what is not known are read, and it is counted."""
    if name == "fi":
        if state.branches:
            state.branches.pop()
    elif name in ("else", "or"):
        if state.branches and state.branches[-1]:
            _skip_to(state, ("fi",))
            state.branches.pop()
    elif name in _BRACED:
        for _ in range(_BRACED[name]):
            state.arguments.mandatory()
        state.unknown[f"\\{name}"] += 1
    elif (on := state.flags.get(name[2:])) is not None:
        if on:
            state.branches.append(True)
        elif _skip_to(state, ("else", "fi")) == "else":
            state.branches.append(False)
    else:
        state.unknown[f"\\{name}"] += 1
        state.branches.append(None)
        _skip_test(state, name)


def _skip_test(state: State, name: str) -> None:
    """What is compared is no text."""
    if name in ("ifx", "if", "ifcat"):
        state.arguments.mandatory()
        state.arguments.mandatory()
    elif name in ("ifdefined", "ifodd", "ifcase"):
        state.arguments.mandatory()
    elif name in ("ifnum", "ifdim"):
        while (token := state.tokens.peek()) is not None and token.kind in ("txt", "cs"):
            state.tokens.next()
            if token == Token("cs", "relax"):
                break


def _skip_to(state: State, stops: tuple[str, ...]) -> str:
    """Leaves out everything up to one of some commands; which it was, "" at the end."""
    depth = 0
    while (token := state.tokens.next()) is not None:
        if token.kind == "end":
            state.tokens.push([token])
            return ""
        if token.kind != "cs":
            continue
        if depth == 0 and token.text in stops:
            return token.text
        if token.text == "fi":
            depth -= 1
        elif token.text.startswith("if") and token.text != "iff" and token.text not in _BRACED:
            depth += 1
    return ""
