"""What a backend hands over for one document."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prefixqa.document import Document, Pair


@dataclass(frozen=True)
class Rejected:
    """A pair, or what should have become one, that is not in the set, and why.

    ``reason`` is one word of a fixed list for counting; ``detail`` says it in a sentence.
    """

    document: str
    reason: str
    detail: str
    pair: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """A document, its accepted pairs, and its rejected ones. ``meta`` goes into every row."""

    document: Document
    pairs: tuple[Pair, ...]
    rejected: tuple[Rejected, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> Counter[str]:
        """How many pairs were rejected for each reason."""
        return Counter(each.reason for each in self.rejected)

    def shortage(self, questions: int, why: str) -> str | None:
        """One line where there are fewer pairs than ``questions``; None where there are enough."""
        count = len(self.pairs)
        return None if count >= questions else f"{count} of {questions} pairs: {why}"
