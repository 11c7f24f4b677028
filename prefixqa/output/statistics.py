"""Numbers about a finished set, for its card and its plots."""

from collections import Counter
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from rows.row import Row


@dataclass(frozen=True)
class Statistics:
    """What the card says.

    Attributes:
        tokens: of each document. types: pairs of each question type.
        answer_words: words of each pair's shortest answer. depths: first evidence of each pair, 0 to 1.
        pairs_per_document: pairs of each document, in order.
        rejected: pairs left out, by reason. sources, licences: documents of each.
    """

    tokens: list[int]
    types: Counter[str]
    answer_words: list[int]
    depths: list[float]
    pairs_per_document: list[int]
    rejected: Counter[str]
    sources: Counter[str]
    licences: Counter[str]

    @property
    def documents(self) -> int:
        return len(self.tokens)

    @property
    def pairs(self) -> int:
        return len(self.depths)


def statistics(rows: list[Row], rejected: Counter[str]) -> Statistics:
    """The statistics of a set's rows."""
    by_document: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        by_document[row.meta["document"]] = row.meta
        counts[row.meta["document"]] += 1
    metas = list(by_document.values())
    return Statistics(
        tokens=[meta["document_tokens"] for meta in metas],
        types=Counter(row.meta["type"] for row in rows),
        answer_words=[min(len(answer.split()) for answer in row.answers) for row in rows],
        depths=[row.meta["depths"][0] for row in rows],
        pairs_per_document=[counts[name] for name in by_document],
        rejected=rejected,
        sources=Counter(_source(meta["source"]) for meta in metas),
        licences=Counter(meta["licence"] for meta in metas),
    )


def _source(source: str) -> str:
    """Files by their ending, others as they are."""
    return f"*.{source.rsplit('.', 1)[1]}" if "." in source and ":" not in source else source


def spread(values: list[int] | list[float]) -> str:
    """Smallest, median, mean and largest as one piece of text."""
    return f"{min(values):g} / {median(values):g} / {mean(values):.1f} / {max(values):g}"
