r"""The document's own commands: ``\newcommand``, ``\def``, ``\NewDocumentCommand`` and their like."""

from dataclasses import dataclass, field

from prefixqa.sources.latex.tokens import CLOSE, OPEN, Token, Tokens, lex

MAX_ARGUMENT = 5_000  # tokens; more stand in no argument, a brace is missing
MAX_OPTION = 2_000
MAX_RUNAWAY = 20  # arguments that nothing ends; after them braces are only braces
NO_VALUE = Token("verb", "-NoValue-")


@dataclass(frozen=True)
class Macro:
    r"""What a command stands for.

    Attributes:
        body: with ``#`` tokens where the arguments go.
        arguments: what each is: ``m``; ``o`` or ``O`` in brackets, with a default; ``s`` a star; or
            ``t``, all that comes before the tokens ``until``.
        default: of an argument in brackets; None: none given shows.
        until: tokens that end an argument of ``\def``; for the place 0: that follow the name.
    """

    body: tuple[Token, ...]
    arguments: str = ""
    default: dict[int, tuple[Token, ...]] = field(default_factory=dict)
    until: dict[int, tuple[Token, ...]] = field(default_factory=dict)


class Arguments:
    """Reads arguments, and gives up where too many of them have no end."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.runaway = 0

    def braced(self) -> list[Token] | None:
        """What stands in the braces that follow, without them; None if none follow or nothing ends them."""
        if not self._tokens.next_is("{") or self.runaway > MAX_RUNAWAY:
            return None
        return self._inside(OPEN, CLOSE)

    def mandatory(self) -> list[Token]:
        """An argument as TeX takes it: what stands in braces, else one token or character."""
        token = self._tokens.skip_blanks()
        if token is None or token.kind in ("}", "par", "end", "&", "$"):
            return []
        if token == OPEN:
            return self.braced() or []
        self._tokens.next()
        if token.kind == "txt" and len(token.text) > 1:
            self._tokens.push([Token("txt", token.text[1:])])
            return [Token("txt", token.text[0])]
        return [token]

    def optional(self) -> list[Token] | None:
        """What stands in the brackets that follow at once or behind blanks; None without any."""
        if not self._tokens.next_is("[") or self.runaway > MAX_RUNAWAY:
            return None
        return self._inside(Token("[", "["), Token("]", "]"))

    def star(self) -> bool:
        """Whether a star follows, which is read."""
        if not self._tokens.follows("*"):
            return False
        self._tokens.raw_character()
        return True

    def until(self, stop: tuple[Token, ...]) -> list[Token]:
        """What comes before some tokens, which are read too; nothing is read if they do not come."""
        found: list[Token] = []
        depth = 0
        if self.runaway > MAX_RUNAWAY:
            return []
        mark = self._tokens.mark()
        while len(found) < MAX_ARGUMENT and (token := self._tokens.next()) is not None:
            if token.kind == "end":
                self._tokens.push([token])
                break
            if token.kind == "txt" and len(token.text) > 1:  # it may end inside a word
                self._tokens.push([Token("txt", token.text[1:])])
                token = Token("txt", token.text[0])
            found.append(token)
            depth += (token == OPEN) - (token == CLOSE)
            if depth <= 0 and tuple(found[-len(stop) :]) == stop:
                return found[: -len(stop)]
        self._tokens.go_back(mark, found)
        self.runaway += 1
        return []

    def _inside(self, opening: Token, closing: Token) -> list[Token] | None:
        """What stands between two tokens, the first of which comes next; put back if nothing ends it.

        An argument in brackets outlives neither its paragraph nor its group.
        """
        found: list[Token] = []
        mark = self._tokens.mark()
        first = self._tokens.next()
        brackets = opening.kind != "{"
        most = MAX_OPTION if brackets else MAX_ARGUMENT
        depth, braces = 1, 0
        while len(found) < most and (token := self._tokens.next()) is not None:
            if brackets:
                braces += (token == OPEN) - (token == CLOSE)
            if token.kind == "end" or braces < 0 or (brackets and token.kind == "par"):
                self._tokens.push([token])
                break
            if braces == 0:
                depth += (token == opening) - (token == closing)
            if depth == 0:
                return found
            found.append(token)
        self.runaway += 1
        self._tokens.go_back(mark, [first or opening, *found])
        return None

    def of(self, macro: Macro) -> list[list[Token]]:
        """The arguments of a macro, in the order of its parameters."""
        if 0 in macro.until:
            self.until(macro.until[0])
        found: list[list[Token]] = []
        for number, kind in enumerate(macro.arguments, start=1):
            if kind == "s":
                found.append([Token("verb", "*")] if self.star() else [NO_VALUE])
            elif kind in "oO":
                given = self.optional()
                found.append(
                    list(macro.default.get(number, (NO_VALUE,))) if given is None else given
                )
            elif number in macro.until:
                found.append(self.until(macro.until[number]))
            else:
                found.append(self.mandatory())
        return found


def filled(macro: Macro, arguments: list[list[Token]]) -> list[Token]:
    """The body of a macro with its arguments in it; ``##1`` becomes the inner definition's ``#1``."""
    tokens: list[Token] = []
    body = iter(macro.body)
    for token in body:
        if token.kind != "#":
            tokens.append(token)
        elif token.text == "#":
            tokens.append(next(body, token))
        elif int(token.text) <= len(arguments):
            tokens += arguments[int(token.text) - 1]
    return tokens


def by_pattern(pattern: list[Token], body: list[Token]) -> Macro:
    r"""The macro of ``\def\name PATTERN {BODY}``."""
    until: dict[int, list[Token]] = {0: []}
    count = 0
    for token in pattern:
        if token.kind == "#" and token.text != "#":
            count += 1
            until[count] = []
        else:
            until[count] += (
                [Token("txt", each) for each in token.text] if token.kind == "txt" else [token]
            )
    ends = {number: tuple(stop) for number, stop in until.items() if stop}
    return Macro(tuple(body), "m" * count, {}, ends)


def by_specification(specification: str, body: list[Token]) -> Macro:
    r"""The macro of ``\NewDocumentCommand\name{SPECIFICATION}{BODY}``."""
    kinds, defaults, at = "", {}, 0
    while at < len(specification) and len(kinds) < 9:
        letter = specification[at]
        at += 1
        if letter in "mvbr":
            kinds += "m"
        elif letter in "so":
            kinds += letter
        elif letter in "OD":
            start = specification.find("{", at)
            end = specification.find("}", start)
            if start < 0 or end < 0:
                break
            kinds += "O"
            defaults[len(kinds)] = tuple(lex(specification[start + 1 : end]))
            at = end + 1
        elif letter == "t":
            kinds += "s"
            at += 1
    return Macro(tuple(body), kinds, defaults)
