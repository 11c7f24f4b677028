"""CAKE (Qin et al., arXiv 2503.12491): layers share the size by how their attention spreads and shifts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from squeezed.context.data import Context
from squeezed.context.window import window_weights
from squeezed.methods.snapkv import SnapKV
from squeezed.selection import allocate


@dataclass(frozen=True)
class CAKE(SnapKV):
    """A key scores the mean of the window's weights on it and, many times over, their variance.

    A layer's size is proportional to ``entropy ** (1 / tau1) * variance ** (1 / tau2)`` of its window's
    weights, both summed over queries or keys, and averaged over the query heads.

    Attributes:
        gamma: weight of the variance in a key's score. tau1, tau2: the authors tune them for every model and
            size; these are for a model that nobody has tuned them for.

    Raises:
        ValueError: a temperature that is not above 0, or as for SnapKV.
    """

    queries: int = 32
    pool: str = "mean"
    gamma: float = 200.0
    tau1: float = 1.0
    tau2: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tau1", "tau2"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a number above 0")

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        weights = window_weights(layer, self.queries, "CAKE")
        return self.pooled(
            layer, (w.mean(1) + self.gamma * w.var(1, correction=0) for w in weights)
        )

    def shared(
        self, context: Context, first: int, scores: Sequence[torch.Tensor], rows: float
    ) -> list[torch.Tensor]:
        numbers = range(first, len(context.layers))
        found = [
            context.derive(("cake", self.queries, n), partial(self._spread, context, n))
            for n in numbers
        ]
        entropy, variance = zip(*found, strict=True)
        shares = allocate.cake(entropy, variance, (self.tau1, self.tau2))
        sizes = allocate.shares_to_rows(shares, rows * len(scores), scores[0].shape[1])
        return [torch.full((len(s),), size) for s, size in zip(scores, sizes, strict=True)]

    def _spread(self, context: Context, number: int) -> tuple[float, float]:
        """Entropy and variance over the queries of a layer's window weights."""
        entropy, variance, heads = 0.0, 0.0, 0
        for weights in window_weights(context.layers[number], self.queries, "CAKE"):
            entropy -= float(torch.xlogy(weights, weights).sum((1, 2)).sum())
            variance += float(weights.var(1, correction=0).sum())
            heads += len(weights)
        return entropy / heads, variance / heads
