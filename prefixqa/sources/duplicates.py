"""Near duplicates among documents, by MinHash of word 5-grams (Broder 1997)."""

import re
from typing import Any

PERMUTATIONS = 128
SHINGLE = 5


class NearDuplicates:
    """Remembers documents and finds earlier ones that are nearly the same."""

    def __init__(self, threshold: float) -> None:
        """``threshold``: Jaccard similarity of 5-grams, in (0, 1]; 1 finds equal texts only.

        Raises:
            ValueError: no such threshold.
        """
        if not 0 < threshold <= 1:
            raise ValueError(f"near_duplicates is {threshold}; expected more than 0, at most 1")
        self._threshold = threshold
        self._hashes: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._index: Any = None

    def copy_of(self, name: str, text: str) -> str | None:
        """The earlier document that ``text`` copies; None, and it is remembered, if there is none."""
        words = re.findall(r"\w+", text.lower())
        plain = " ".join(words)
        if plain in self._texts:
            return self._texts[plain]
        if self._threshold < 1 and (found := self._similar(name, words)) is not None:
            return found
        self._texts[plain] = name
        return None

    def _similar(self, name: str, words: list[str]) -> str | None:
        from datasketch import MinHash, MinHashLSH

        if self._index is None:
            self._index = MinHashLSH(threshold=self._threshold, num_perm=PERMUTATIONS)
        shingles = {
            " ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))
        }
        own = MinHash(num_perm=PERMUTATIONS, seed=1)
        own.update_batch([each.encode() for each in sorted(shingles)])
        # The index only proposes; the estimate itself decides.
        for other in sorted(self._index.query(own)):
            if own.jaccard(self._hashes[other]) >= self._threshold:
                return str(other)
        key = f"{name}" if name not in self._hashes else f"{name}#{len(self._hashes)}"
        self._hashes[key] = own
        self._index.insert(key, own)
        return None
