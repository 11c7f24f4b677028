"""What to ask for where: every part of a document gets its share of the questions, of every type."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prefixqa.document import Document, Pair
from prefixqa.mix import quotas
from prefixqa.sentences import sentences
from prefixqa.tokens import TokenCounter

MIX = {"factual": 6, "numeric": 5, "definition": 3, "method": 4, "comparison": 3, "multi-span": 3}
CHUNK_TOKENS = 1500  # a passage long enough for questions that need two of its sentences
SURPLUS = 1.3  # proposals for each pair that is wanted; some of them fail


@dataclass(frozen=True)
class Chunk:
    """A passage: characters ``start`` to ``end`` of the document."""

    start: int
    end: int


@dataclass(frozen=True)
class Ask:
    """So many pairs of each type, wanted from a passage."""

    chunk: Chunk
    wanted: Counter[str]


def chunks(document: Document, tokens: TokenCounter, questions: int) -> list[Chunk]:
    """The document cut between sentences into passages of about equal size, at most one a question."""
    count = min(questions, max(1, round(tokens.count(document.text) / CHUNK_TOKENS)))
    starts = [each.start for each in sentences(document.text)] or [0]
    wanted = [len(document.text) * place // count for place in range(1, count)]
    borders = {min(starts, key=lambda start, goal=goal: abs(start - goal)) for goal in wanted}  # type: ignore[misc]
    edges = [0, *sorted(borders - {0}), len(document.text)]
    return [Chunk(start, end) for start, end in itertools.pairwise(edges)]


def plan(parts: Sequence[Chunk], questions: int, accepted: Sequence[Pair]) -> list[Ask]:
    """What is still missing, dealt out so that each passage comes to its share.

    Types are dealt round-robin, a passage that has the fewest pairs first, so that no type gathers in
    one place. Passages that get nothing are left out.
    """
    have = Counter(pair.type for pair in accepted)
    missing = {name: max(0, count - have[name]) for name, count in quotas(questions, MIX).items()}
    total = min(questions - len(accepted), sum(missing.values()))
    if total <= 0:
        return []
    asked = quotas(max(total + 1, round(SURPLUS * total)), missing)
    load = {place: _inside(accepted, part) for place, part in enumerate(parts)}
    wanted: list[Counter[str]] = [Counter() for _ in parts]
    for name in sorted(asked, key=lambda name: (-asked[name], name)):
        for _ in range(asked[name]):
            place = min(load, key=lambda at: (load[at], wanted[at][name], at))
            wanted[place][name] += 1
            load[place] += 1
    return [Ask(part, each) for part, each in zip(parts, wanted, strict=True) if each]


def _inside(pairs: Sequence[Pair], part: Chunk) -> int:
    return sum(part.start <= pair.evidence[0].start < part.end for pair in pairs)
