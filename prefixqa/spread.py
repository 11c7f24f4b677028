"""Questions spread over the whole depth of a document. Standard library only."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Strata:
    """As many equal stretches of a document as it gets questions; each question takes one of them."""

    def __init__(self, rng: random.Random, count: int, length: int) -> None:
        """``count``: questions. ``length``: of the document, in the unit of the places."""
        self._rng = rng
        self._free = set(range(count))
        self._width = length / max(1, count)

    def take(self, found: Sequence[Item], place: Callable[[Item], int]) -> Item:
        """One of ``found``, at random among those that stand in, or nearest to, a free stretch.

        Args:
            found: at least one. place: where an item stands.
        """
        distances = [self._distance(place(each)) for each in found]
        least = min(distances)
        near = [each for each, far in zip(found, distances, strict=True) if far == least]
        taken = self._rng.choice(near)
        if self._free:
            stretch = self._stretch(place(taken))
            self._free.remove(min(self._free, key=lambda free: (abs(stretch - free), free)))
        return taken

    def _stretch(self, place: int) -> int:
        return int(place / self._width)

    def _distance(self, place: int) -> int:
        return min((abs(self._stretch(place) - free) for free in self._free), default=0)
