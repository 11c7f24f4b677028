"""Splits by document: no document has questions in two of them."""

import hashlib
from collections.abc import Sequence

SPLITS = ("train", "validation", "test")


def split_of(ids: Sequence[str], train: float, validation: float, seed: int) -> dict[str, str]:
    """The split of each document.

    The order of ``ids`` does not matter: documents are ranked by a hash of seed and id, and the shares
    are cut off that ranking.

    Args:
        train, validation: shares of the documents, rounded to whole ones; the rest is ``test``.

    Raises:
        ValueError: the shares are no shares, or there is no document left for the test split.
    """
    if not (0 <= train <= 1 and 0 <= validation <= 1 and train + validation < 1):
        raise ValueError(
            f"split.train={train}, split.validation={validation}; expected shares of at least 0 "
            "that leave some of 1 to the test split"
        )
    ranked = sorted(ids, key=lambda each: hashlib.sha256(f"{seed} {each}".encode()).digest())
    first = round(train * len(ranked))
    second = min(first + round(validation * len(ranked)), len(ranked))
    if ranked and second >= len(ranked):
        raise ValueError(
            f"split.train={train}, split.validation={validation} leave none of {len(ranked)} "
            "documents to the test split; lower them, or make more documents"
        )
    names = [SPLITS[(place >= first) + (place >= second)] for place in range(len(ranked))]
    return dict(zip(ranked, names, strict=True))
