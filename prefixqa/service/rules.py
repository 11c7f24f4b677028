"""Checks that need no model: is the quotation there, does it hold the answer, is the pair a new one?"""

import re
from collections.abc import Sequence
from typing import Any

from prefixqa.document import Document, Evidence, Pair
from prefixqa.service.plan import Chunk
from prefixqa.service.schema import Proposal
from prefixqa.text import find_quote, normalise

SIMILAR = 0.8  # Jaccard similarity of two questions' words from which they are one question
_VAGUE = re.compile(
    r"\b(?:this|the (?:above|given|following)) (?:passage|text|section|paragraph|excerpt)\b|\bthe author",
    re.IGNORECASE,
)
_UNCLEAR = re.compile(
    r"^(?:yes|no|true|false|unknown|n/?a|none|it depends|various|several)\W*$", re.I
)


class Reject(Exception):  # noqa: N818 - a verdict, no error
    """A pair is not accepted. ``reason`` is one word for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def check(
    proposal: Proposal,
    document: Document,
    chunk: Chunk,
    others: Sequence[Pair],
    max_words: int,
    provenance: dict[str, Any],
) -> Pair:
    """The proposal as a pair of the document, its evidence found.

    Raises:
        Reject: ``vague``, ``answer``, ``evidence``, ``spans`` or ``duplicate``.
    """
    _check_wording(proposal, max_words)
    evidence = _find(proposal, document, chunk)
    if proposal.type == "multi-span" and len(evidence) < 2:
        raise Reject("spans", "a multi-span question with one quotation only")
    pair = Pair(
        question=" ".join(proposal.question.split()),
        answers=(" ".join(proposal.answer.split()).rstrip("."),),
        type=proposal.type,
        evidence=evidence,
        checks={"evidence": "found", "support": holds(proposal.answer, evidence)},
        provenance=provenance,
    )
    if (twin := next((other for other in others if is_same(pair, other)), None)) is not None:
        raise Reject("duplicate", f"asks the same as {twin.question!r}")
    return pair


def holds(answer: str, evidence: Sequence[Evidence]) -> float:
    """The share of the answer's words that the quotations hold; every number of it must be there."""
    said = normalise(" ".join(each.text for each in evidence)).split()
    words = normalise(answer).split()
    if any(word not in said for word in words if word.isdigit()):
        return 0.0
    return sum(word in said for word in words) / max(1, len(words))


def is_same(pair: Pair, other: Pair) -> bool:
    """Whether two pairs ask for one thing: like words, or one answer from one place."""
    ours, theirs = (set(normalise(each.question).split()) for each in (pair, other))
    if len(ours & theirs) >= SIMILAR * len(ours | theirs):
        return True
    places = {(each.start, each.end) for each in pair.evidence}
    same_place = any((each.start, each.end) in places for each in other.evidence)
    return same_place and normalise(pair.answers[0]) == normalise(other.answers[0])


def _check_wording(proposal: Proposal, max_words: int) -> None:
    if found := _VAGUE.search(proposal.question):
        raise Reject("vague", f"the question says {found[0]!r}")
    count = len(proposal.answer.split())
    if not normalise(proposal.answer) or _UNCLEAR.match(proposal.answer.strip()):
        raise Reject("answer", f"{proposal.answer!r} is no answer to score")
    if count > max_words:
        raise Reject("answer", f"an answer of {count} words; at most {max_words} are allowed")
    if normalise(proposal.answer) in normalise(proposal.question):
        raise Reject("answer", "the answer stands in the question")


def _find(proposal: Proposal, document: Document, chunk: Chunk) -> tuple[Evidence, ...]:
    found = []
    for quote in proposal.evidence:
        # A sentence may come twice in a document: the passage that was shown goes first.
        span = find_quote(quote, document.text, chunk.start, chunk.end)
        span = span or find_quote(quote, document.text)
        if span is None:
            raise Reject("evidence", f"the quotation {quote[:80]!r} is not in the document")
        found.append(document.evidence(*span))
    return tuple(dict.fromkeys(found))
