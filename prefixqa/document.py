"""What every source and every backend speaks: a document, a pair about it, and where its answer stands.

Standard library only, so that a training script can take documents from ``prefixqa.template``.
"""

from dataclasses import dataclass, field
from typing import Any

TYPES = ("factual", "definition", "method", "numeric", "comparison", "multi-span")


@dataclass(frozen=True)
class Evidence:
    """The passage that an answer rests on: ``text`` is ``document.text[start:end]``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Document:
    """One fixed document.

    Attributes:
        id: unique in its set, safe as a part of a row's id.
        title: for people; it need not stand in the text.
        text: what is asked about, cleaned.
        source: where it comes from (a file name, an arXiv id, the name of a generator).
        licence: as far as it is known, else ``unknown``.
        published: ISO date, for the contamination guard; None if it is not known.
    """

    id: str
    title: str
    text: str
    source: str
    licence: str = "unknown"
    published: str | None = None

    def evidence(self, start: int, end: int) -> Evidence:
        """The passage of a character range.

        Raises:
            ValueError: the range is empty or leaves the text.
        """
        if not 0 <= start < end <= len(self.text):
            raise ValueError(
                f"evidence {start}:{end} of document {self.id}; expected a range inside "
                f"0:{len(self.text)}"
            )
        return Evidence(start, end, self.text[start:end])

    def depth(self, evidence: Evidence) -> float:
        """Where the evidence begins, from 0 (start of the document) to 1 (its end)."""
        return evidence.start / max(1, len(self.text) - 1)


@dataclass(frozen=True)
class Pair:
    """A question about a document, and its answer.

    Attributes:
        question: one sentence for people, without any prompt around it.
        answers: accepted answers, the shortest form first.
        type: one of ``TYPES``.
        evidence: passages that the answer rests on, in the order the answer needs them.
        answer_prefix: words that the answer goes on from, with a blank in front; may be empty.
        checks: validation scores by name.
        provenance: how the pair was made: backend, model, prompt version, seed.

    Raises:
        ValueError: an empty question or answer, an unknown type, or no evidence.
    """

    question: str
    answers: tuple[str, ...]
    type: str
    evidence: tuple[Evidence, ...]
    answer_prefix: str = ""
    checks: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise ValueError("a pair has an empty question")
        if not self.answers or not all(answer.strip() for answer in self.answers):
            raise ValueError(f"the pair {self.question!r} has no answer, or an empty one")
        if self.type not in TYPES:
            raise ValueError(
                f"the pair {self.question!r} is of type {self.type!r}; expected one of "
                f"{', '.join(TYPES)}"
            )
        if not self.evidence:
            raise ValueError(f"the pair {self.question!r} has no evidence")
