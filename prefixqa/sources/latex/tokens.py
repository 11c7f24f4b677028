"""LaTeX source as tokens, read one at a time: what follows may depend on what was read before."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


class Token(NamedTuple):
    r"""One token.

    Attributes:
        kind: ``cs`` (a command, ``text`` is its name), ``old`` (one as LaTeX itself has it), ``txt``,
            ``sp`` (blanks), ``par`` (an empty line), ``verb`` (text as it stands), ``end`` (of what was
            pushed), ``out`` (of a macro's body; never handed out), or the character itself:
            ``{ } $ & # ~ ^ _ [ ]``. The text of ``#`` is the number of a parameter, or ``#``.
    """

    kind: str
    text: str


PAR, SPACE, OPEN, CLOSE = Token("par", ""), Token("sp", " "), Token("{", "{"), Token("}", "}")
END = Token("end", "")
MAX_RAW = 20_000  # tokens of an argument that are taken as text as it stands
_SPECIAL = "\\{}$&#~^_%[]"
_COMMAND = re.compile(r"\\([A-Za-z@]+\*?|.|\n|\Z)", re.DOTALL)
_BLANKS = re.compile(r"\s+")
_REST_OF_LINE = re.compile(r"[^\n]*(?:\n[ \t]*)?")
_PARAMETER = re.compile(r"#([1-9]?)")


class Tokens:
    """The source, and in front of it what was put back or comes from a macro.

    Args:
        source: of the document.
    """

    def __init__(self, source: str) -> None:
        # Included files lie above the file that includes them: its text and how far it is read.
        self._files: list[list[str | int]] = [[source, 0]]
        self._pushed: list[Token] = []  # the next one is the last
        self._absent: set[tuple[int, str]] = set()  # what is known not to come any more
        self.active: Counter[str] = Counter()  # macros whose bodies are being read, and how deep
        self._runs: dict[str, re.Pattern[str]] = {}
        self.short_verbs = ""  # characters that stand around text as it is, as ``|`` in ``|\x|``

    def push(self, tokens: list[Token]) -> None:
        """Puts tokens in front of all that is still to come."""
        self._pushed += reversed(tokens)

    def expand(self, name: str, body: list[Token]) -> None:
        """Puts a macro's body in front; the macro is ``active`` until the body is read."""
        self.active[name] += 1
        self._pushed.append(Token("out", name))
        self.push(body)

    def _top(self) -> Token | None:
        """The pushed token that comes next; macros that are done with are no longer active."""
        while self._pushed and self._pushed[-1].kind == "out":
            self.active[self._pushed.pop().text] -= 1
        return self._pushed[-1] if self._pushed else None

    def include(self, source: str) -> None:
        """Reads a file next. What is pushed comes before it."""
        self._files.append([source, 0])
        self._absent = {each for each in self._absent if each[0] < self.depth}

    @property
    def depth(self) -> int:
        """How many files are being read, one in another."""
        return len(self._files)

    def next(self) -> Token | None:
        """The next token; None at the end."""
        if self._top() is not None:
            return self._pushed.pop()
        while self._files:
            text, at = str(self._files[-1][0]), int(self._files[-1][1])
            if at < len(text):
                token, self._files[-1][1] = self._at(text, at)
                if token is not None:
                    return token
            elif len(self._files) > 1:
                self._files.pop()
            else:
                return None
        return None

    def __iter__(self) -> Iterator[Token]:
        while (token := self.next()) is not None:
            yield token

    def mark(self) -> list[list[str | int]] | None:
        """The place in the source, to go back to; None where pushed tokens come first."""
        return None if self._top() else [[text, at] for text, at in self._files]

    def go_back(self, mark: list[list[str | int]] | None, taken: list[Token]) -> None:
        """As if some tokens, which were read since a mark, had not been."""
        if mark is None:
            self.push(taken)
        else:
            self._files = mark
            self._pushed.clear()
            self.active.clear()

    def skip_blanks(self) -> Token | None:
        """The next token that is no blank, left where it is."""
        while (token := self.next()) is not None and token.kind == "sp":
            pass
        if token is not None:
            self.push([token])
        return token

    def peek(self) -> Token | None:
        """The next token, left where it is."""
        token = self.next()
        if token is not None:
            self.push([token])
        return token

    def raw_until(self, stop: str) -> str | None:
        """The text as it stands up to ``stop``, which is read too; None if ``stop`` does not come."""
        if self._top() is not None:
            return self._pushed_until(stop)
        text, at = str(self._files[-1][0]), int(self._files[-1][1])
        end = -1 if (self.depth, stop) in self._absent else text.find(stop, at)
        if end < 0:
            self._absent.add((self.depth, stop))
            return None
        self._files[-1][1] = end + len(stop)
        return text[at:end]

    def next_is(self, character: str) -> bool:
        """Whether a character comes next behind blanks; the blanks are read then."""
        if self._top() is None:
            text, at = str(self._files[-1][0]), int(self._files[-1][1])
            blanks = _BLANKS.match(text, at)
            end = blanks.end() if blanks else at
            if text.startswith(character, end) and text.count("\n", at, end) < 2:
                self._files[-1][1] = end
                return True
            if text[end : end + 1] != "%":
                return False
        blank = self.peek()
        token = self.skip_blanks()
        if token is not None and token.kind == character:
            return True
        if blank == SPACE:
            self.push([SPACE])
        return False

    def follows(self, character: str) -> bool:
        """Whether a character comes next, which leaves what follows it as it is."""
        if (token := self._top()) is not None:
            return written(token).startswith(character)
        text, at = self._files[-1]
        return str(text).startswith(character, int(at))

    def raw_character(self) -> str:
        """One character as it stands; empty at the end."""
        if self._top() is not None:
            token = self._pushed.pop()
            shown = written(token)
            if len(shown) > 1:
                self._pushed.append(Token("verb" if token.kind == "verb" else "txt", shown[1:]))
            return shown[:1]
        text, at = str(self._files[-1][0]), int(self._files[-1][1])
        self._files[-1][1] = at + 1
        return text[at : at + 1]

    def _pushed_until(self, stop: str) -> str | None:
        """As ``raw_until``, where the text went through a macro's argument."""
        taken: list[Token] = []
        shown = ""
        while self._top() not in (None, END) and len(taken) < MAX_RAW:
            taken.append(self._pushed.pop())
            shown += written(taken[-1])
            if stop in shown[-len(stop) - len(taken[-1].text) - 2 :]:
                break
        found, mark, rest = shown.partition(stop)
        if not mark:
            self.push(taken)
            return None
        if rest:
            self._pushed.append(Token("verb", rest))
        return found

    def _at(self, text: str, at: int) -> tuple[Token | None, int]:
        """The token at a place, None for a comment, and where it ends."""
        character = text[at]
        if character in self.short_verbs:
            line = text.find("\n", at)
            end = text.find(character, at + 1, line if line >= 0 else len(text))
            if end < 0:
                return Token("txt", character), at + 1
            return Token("verb", text[at + 1 : end]), end + 1
        if character == "\\":
            found = _COMMAND.match(text, at)
            name = found[1] if found else ""
            end = at + 1 + len(name)
            if name[
                :1
            ].isalpha():  # blanks behind a word end it; an empty line is seen all the same
                blanks = _BLANKS.match(text, end)
                if blanks and blanks[0].count("\n") < 2:
                    end = blanks.end()
            return Token("cs", " " if name == "\n" else name), end
        if character == "%":
            rest = _REST_OF_LINE.match(text, at)
            return None, rest.end() if rest else at + 1
        if character.isspace():
            blanks = _BLANKS.match(text, at)
            end = blanks.end() if blanks else at + 1
            return (PAR if text.count("\n", at, end) > 1 else SPACE), end
        if character == "#":
            number = _PARAMETER.match(text, at)
            shown = (number[1] if number else "") or "#"
            return Token("#", shown), number.end() if number else at + 1
        if character in _SPECIAL:
            return Token(character, character), at + 1
        run = self._run().match(text, at)
        end = run.end() if run else at + 1
        return Token("txt", text[at:end]), end

    def _run(self) -> re.Pattern[str]:
        if self.short_verbs not in self._runs:
            stops = re.escape(_SPECIAL + self.short_verbs)
            self._runs[self.short_verbs] = re.compile(rf"[^\s{stops}]+")
        return self._runs[self.short_verbs]


def written(token: Token) -> str:
    """A token as it stands in a source."""
    if token.kind in ("cs", "old"):
        return f"\\{token.text} " if token.text[-1:].isalpha() else f"\\{token.text}"
    if token.kind == "par":
        return "\n\n"
    if token.kind == "#":
        return "#" if token.text == "#" else f"#{token.text}"
    return token.text


def lex(source: str) -> list[Token]:
    """All tokens of a piece of source."""
    return list(Tokens(source))
