r"""``\begin`` and ``\end``: what stands as it is, tables, formulas, lists, drawings."""

from prefixqa.sources.latex import names
from prefixqa.sources.latex.commands import brackets
from prefixqa.sources.latex.macros import filled
from prefixqa.sources.latex.state import State
from prefixqa.sources.latex.tokens import written

_PLAIN = frozenset(
    [
        "abstract",
        "center",
        "flushleft",
        "flushright",
        "quote",
        "quotation",
        "verse",
        "itemize",
        "enumerate",
        "description",
        "figure",
        "table",
        "tabbing",
        "titlepage",
        "appendix",
        "samepage",
        "small",
        "footnotesize",
        "scriptsize",
        "large",
        "proof",
        "algorithm",
        "algorithmic",
        "threeparttable",
        "landscape",
        "sideways",
        "sidewaystable",
        "sidewaysfigure",
        "margintable",
        "acknowledgements",
        "keywords",
        "document",
        "cases",
        "matrix",
        "pmatrix",
        "bmatrix",
        "vmatrix",
        "split",
        "aligned",
        "gathered",
        "smallmatrix",
        "frame",
        "block",
        "compactitem",
        "compactenum",
        "group",
        "sffamily",
        "ttfamily",
        "decl",
        "subequations",
    ]
)


def begin(state: State) -> None:
    r"""``\begin{name}``."""
    name = "".join(written(each) for each in state.arguments.braced() or []).strip()
    base = name.rstrip("*")
    if name == "document" and not state.inside:
        state.inside = True
        state.forget()
        return
    if own := state.environments.get(name):
        tokens = filled(own[0], state.arguments.of(own[0]))
        state.room -= len(tokens)
        if state.room > 0:
            state.tokens.push(tokens)
        return
    if base in names.SKIPPED or is_code(state, name, base):
        _as_it_stands(state, name, base)
        return
    state.opened.append(base if base in names.TABLES else name)
    if base in names.TABLES:
        brackets(state)
        for _ in range(names.TABLES.get(name, names.TABLES[base])):
            state.arguments.mandatory()
            brackets(state)
    elif base in names.MATHS:
        state.maths = True
    if base not in names.TABLES and base in names.ARGUMENTS:
        brackets(state)
        for _ in range(names.ARGUMENTS[base]):
            state.arguments.mandatory()
    elif name in state.theorems:
        _theorem(state, name)
    elif base not in names.MATHS and base not in names.TABLES:
        brackets(state)
        if base not in _PLAIN:
            state.unknown[base] += 1
    if base == "thebibliography":
        state.end_paragraph()
        state.put("## References")
    if state.maths or "array" in state.opened[-1:]:
        state.put(" ")
    else:
        state.put("\n\n")


def is_code(state: State, name: str, base: str) -> bool:
    """Whether an environment's text stays as it is; one that is not known by its name."""
    if name in state.verbatims or base in state.verbatims:
        return True
    return any(part in base.lower() for part in ("verbatim", "listing", "code"))


def end(state: State) -> None:
    r"""``\end{name}``."""
    name = "".join(written(each) for each in state.arguments.braced() or []).strip()
    base = name.rstrip("*")
    if name == "document" and not state.opened:
        state.over = True  # another one stands in an example
    elif own := state.environments.get(name):
        state.tokens.push(list(own[1].body))
    if state.opened and state.opened[-1] in (name, base):
        state.opened.pop()
    if base in names.MATHS:
        state.maths = False
    state.put(" " if state.maths else "\n\n")


def _as_it_stands(state: State, name: str, base: str) -> None:
    """Code keeps its lines; comments and drawings go."""
    if base not in names.SKIPPED:
        brackets(state)
        if base == "minted" and state.tokens.follows("{"):
            state.arguments.braced()
    found = state.tokens.raw_until(f"\\end{{{name}}}")
    if found is None:
        state.unknown[f"{name} without end"] += 1
    elif base not in names.SKIPPED:
        state.put_lines(found)


def _theorem(state: State, name: str) -> None:
    title = state.line(state.theorems[name])
    given = state.arguments.optional()
    state.end_paragraph()
    state.put(f"{title} ({state.line(given)}). " if given else f"{title}. ")
