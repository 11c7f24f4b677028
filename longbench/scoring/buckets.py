"""LongBench-E: scores by the length of the record, in three buckets."""

from collections.abc import Iterable
from dataclasses import dataclass

# A record's ``length`` counts words (characters in Chinese), as its data file says.
BUCKETS = ("0-4k", "4-8k", "8k+")


@dataclass(frozen=True)
class Bucket:
    """Mean score in points of the ``n`` records of a bucket; None if there are none."""

    name: str
    mean: float | None
    n: int


def bucket_of(length: int) -> str:
    """The bucket of a record's length: under 4,000, under 8,000, or more."""
    return BUCKETS[(length >= 4000) + (length >= 8000)]


def by_bucket(scored: Iterable[tuple[int, float]]) -> tuple[Bucket, ...]:
    """The three buckets of pairs of length and score in [0, 1]."""
    scores: dict[str, list[float]] = {name: [] for name in BUCKETS}
    for length, score in scored:
        scores[bucket_of(length)].append(score)
    return tuple(
        Bucket(name, 100 * sum(found) / len(found) if found else None, len(found))
        for name, found in scores.items()
    )
