"""What a fixed context is prepared with."""

import itertools
from dataclasses import dataclass

from squeezed.index.spread import MEAN

WINDOW = 100  # the paper's observation window, in tokens
COARSE_SPARSITY = 0.5  # share that each coarser level drops of what reaches it (paper section 3.3)


@dataclass(frozen=True)
class Settings:
    """Settings of ``prepare``.

    Attributes:
        levels: clusters as a share of the clustered keys, coarse to fine. window: observation window W.
        seed: of the clustering. strategy, balance, statistics: as for ``prepare``.
    """

    levels: tuple[float, ...]
    window: int = WINDOW
    seed: int = 0
    strategy: str = "bottom-up"
    balance: float | None = None
    statistics: tuple[str, ...] = ()

    @property
    def conditions(self) -> "Conditions":
        """What thresholds are calibrated for in advance: the paper's setting."""
        return Conditions(coarse_drops(len(self.levels), COARSE_SPARSITY))


@dataclass(frozen=True)
class Conditions:
    """How keys are scored online, which is what thresholds and masses hold for.

    Attributes:
        drops: share of all keys dropped after each level but the finest, coarse to fine, not falling.
        by: what drops them: the threshold of the ``model``, of each ``layer`` or each ``head``, or ``topk``,
            the same share for every head.
        score: of their clusters: of the ``mean`` key (paper), or with its ``spread`` added.
        reduce: over the query heads of a KV head. block: query tokens that are selected for together;
            ``None``: all of a user input. Both as the method's.
        dense_layers: first layers that select nothing, so their scores do not count.
    """

    drops: tuple[float, ...] = ()
    by: str = "model"
    score: str = MEAN
    reduce: str = "mean"
    block: int | None = None
    dense_layers: int = 0

    def __post_init__(self) -> None:
        if not self.drops:  # nothing is dropped, so all are the same
            object.__setattr__(self, "by", "model")
            object.__setattr__(self, "score", MEAN)

    def __str__(self) -> str:
        """What is not as in the paper with one level, for a reader; empty if all is."""
        drops = ", ".join(f"{drop:g}" for drop in self.drops)
        told = [f"coarse drops {drops} by {self.by}, {self.score} scores" if drops else ""]
        told.append(f"reduce={self.reduce}" if self.reduce != "mean" else "")
        told.append(f"block={self.block}" if self.block is not None else "")
        told.append(f"dense_layers={self.dense_layers}" if self.dense_layers else "")
        return ", ".join(filter(None, told))


def coarse_drops(depth: int, coarse_sparsity: float) -> tuple[float, ...]:
    """Share of all keys dropped after each level but the finest; each drops the same of what reaches it."""
    return tuple(1 - (1 - coarse_sparsity) ** level for level in range(1, depth))


def validate_levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Checks ``levels``: shares of the keys that become clusters, coarse to fine.

    Raises:
        ValueError: empty, not rising, or outside (0, 1].
    """
    levels = tuple(float(level) for level in levels)
    if not levels or any(not 0 < level <= 1 for level in levels):
        raise ValueError(f"levels is {levels}; expected shares of the keys in (0, 1], like (0.05,)")
    if any(coarse >= fine for coarse, fine in itertools.pairwise(levels)):
        raise ValueError(
            f"levels is {levels}; expected coarse to fine, each larger than the one before"
        )
    return levels
