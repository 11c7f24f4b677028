r"""From tokens to text. A command that is not known leaves its arguments' text, and is counted."""

import re

from prefixqa.sources.latex import names
from prefixqa.sources.latex.commands import COMMANDS, accent, before_text, dropped, heading
from prefixqa.sources.latex.conditions import condition, is_condition
from prefixqa.sources.latex.definitions import DEFINITIONS
from prefixqa.sources.latex.environments import begin, end
from prefixqa.sources.latex.macros import filled
from prefixqa.sources.latex.state import State, bracketed, typeset
from prefixqa.sources.latex.tokens import Token

MAX_NESTED = 8  # uses of a macro inside its own body; TeX's loops are not followed
_DIMENSION = re.compile(
    r"=?(?:[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:pt|em|ex|cm|mm|in|pc|sp|bp|dd|cc|mu|fil+)?|pt|em|ex|cm|mm|"
    r"plus|minus|by|[+-])?"
)
_TAKES_DIMENSION = frozenset(
    [
        "hskip",
        "vskip",
        "kern",
        "mskip",
        "mkern",
        "hsize",
        "vsize",
        "parindent",
        "parskip",
        "baselineskip",
        "vglue",
        "hglue",
        "lineskip",
        "raise",
        "lower",
        "leftskip",
        "rightskip",
        "advance",
        "count",
        "skip",
        "dimen",
        "penalty",
        "catcode",
        "lccode",
        "uccode",
        "tolerance",
        "hangindent",
        "hangafter",
        "textwidth",
        "textheight",
        "linewidth",
        "columnwidth",
        "topmargin",
        "oddsidemargin",
        "evensidemargin",
        "hbadness",
        "vbadness",
        "itemsep",
        "topsep",
        "parsep",
        "tabcolsep",
        "columnsep",
        "marginparwidth",
        "headheight",
        "leftmargin",
        "p@",
        "z@",
        "fill",
        "fil",
    ]
)


class Reader(State):
    """Reads one document; see ``State`` for what it holds then."""

    def run(self) -> None:
        while not self.over and (token := self.tokens.next()) is not None:
            if token.kind == "end":
                return
            self._one(token)

    def _one(self, token: Token) -> None:
        kind = token.kind
        if kind == "txt":
            self.put(token.text if self.maths else typeset(token.text))
        elif kind in ("sp", "~"):
            self.put(" ")
        elif kind == "par":
            self.end_paragraph()
        elif kind == "cs":
            self._command(token.text)
        elif kind == "old":
            self._built_in(token.text)
        elif kind == "$":
            if self.tokens.follows("$"):
                self.tokens.raw_character()
            self.maths = not self.maths
        elif kind == "&":
            self.put(" | " if any(each in names.TABLES for each in self.opened[-3:]) else " ")
        elif kind in "^_" and self.maths:
            self.put(kind + bracketed(self.text(self.arguments.mandatory())))
        elif kind == "}":
            if self.tokens.follows("{") and not self.maths:
                self.put(" ")  # between the arguments of a command that is not known
        elif kind != "{":
            self.put(token.text)

    def _command(self, name: str) -> None:
        base = name.rstrip("*") or name
        if name != base and base in self.macros and name not in self.macros:
            self.tokens.push([Token("txt", "*")])
            name = base
        if name in self.macros and self.tokens.active[name] < MAX_NESTED and self.room > 0:
            macro = self.macros[name]
            tokens = filled(macro, self.arguments.of(macro))
            self.room -= len(tokens) + 1
            self.tokens.expand(name, tokens)
        else:
            self._built_in(name)

    def _built_in(self, name: str) -> None:
        base = name.rstrip("*") or name
        if base == "begin":
            begin(self)
        elif base == "end":
            end(self)
        elif base in DEFINITIONS:
            DEFINITIONS[base](self)
        elif base in COMMANDS:
            COMMANDS[base](self)
        elif base in names.SECTIONS:
            heading(self)
        elif is_condition(base):
            condition(self, base)
        else:
            self._by_table(name, base)

    def _by_table(self, name: str, base: str) -> None:
        if base in names.ACCENTS and (not self.maths or len(base) > 1):
            accent(self, names.ACCENTS[base])
        elif base in names.BEFORE_TEXT:
            before_text(self, names.BEFORE_TEXT[base])
        elif base in names.DROPPED:
            dropped(self, names.DROPPED[base])
        elif base in _TAKES_DIMENSION:
            self._dimension()
        elif (shown := names.symbol(base, self.maths)) is not None:
            self.put(shown)
            if name != base and self.maths:
                self.tokens.push([Token("txt", "*")])
        elif not self._switch(base):
            self._unknown(base)

    def _switch(self, base: str) -> bool:
        """Whether a command sets a switch of the document, which is done then."""
        for ending in ("true", "false"):
            if base.endswith(ending) and base.removesuffix(ending) in self.flags:
                self.flags[base.removesuffix(ending)] = ending == "true"
                return True
        return False

    def _unknown(self, base: str) -> None:
        """Leaves the text of its arguments; brackets go where braces follow them, as options do."""
        if base in names.KEEPS_TEXT:
            return
        self.unknown[f"\\{base}"] += 1
        if not self.maths and self.tokens.follows("/"):  # "\\tikz/", a name that its class defines
            self.tokens.raw_character()
            self.put(names.LOGOS.get(base, base))
            return
        if self.tokens.follows("["):
            options = self.arguments.optional()
            if options is not None and not self.tokens.follows("{"):
                self.tokens.push([Token("[", "["), *options, Token("]", "]")])
        elif self.maths:
            self.put(" ")

    def _dimension(self) -> None:
        """What TeX reads behind a register or a skip: numbers, units and other registers."""
        for _ in range(8):
            token = self.tokens.skip_blanks()
            if token is not None and token.kind == "cs" and token.text in _TAKES_DIMENSION:
                self.tokens.next()
                continue
            found = (
                _DIMENSION.match(token.text) if token is not None and token.kind == "txt" else None
            )
            if token is None or found is None or not found[0]:
                return
            self.tokens.next()
            if rest := token.text[found.end() :]:
                self.tokens.push([Token("txt", rest)])
