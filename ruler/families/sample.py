"""What every task family lays out: a context, questions about it, and where the answers stand."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from rows.tokens import TokenCounter


class Needle(NamedTuple):
    """A planted fact. ``text`` is its sentence.

    A document that holds the answer somewhere is a needle too: ``value`` is empty, ``text`` all of
    it.
    """

    key: str
    value: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question about a context: its wording and the values that answer it, in query order."""

    keys: tuple[str, ...]
    text: str
    answer_prefix: str
    answers: tuple[str, ...]

    @property
    def user_text(self) -> str:
        """The user input, as it is tokenised after the context."""
        return self.text + self.answer_prefix


@dataclass(frozen=True)
class Sample:
    """A context with its questions.

    Attributes:
        context: instruction and haystack, the fixed context.
        questions: the questions asked about it.
        needles: the needles asked for, in the order of the text; none in tasks that count words.
        offsets: character offset of each of those needles' sentence in ``context``.
    """

    context: str
    questions: tuple[Question, ...]
    needles: tuple[Needle, ...] = ()
    offsets: tuple[int, ...] = ()


class Draw(Protocol):
    """All random choices of one sample, from which a haystack of any size can be laid out."""

    def minimum_size(self) -> int:
        """Fewest haystack units that hold the needles and the questions."""
        ...

    def lay_out(self, size: int) -> Sample:
        """The sample with a haystack of ``size`` units."""
        ...

    def questions(self, size: int) -> tuple[Question, ...]:
        """The questions of the sample of that size, without laying it out."""
        ...

    def tokens(self, size: int, counter: "TokenCounter") -> int:
        """Tokens of the context of that size, added up from its parts, without laying it out."""
        ...
