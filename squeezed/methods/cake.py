"""CAKE (Qin et al., arXiv 2503.12491): layers share the size by how their attention spreads and shifts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from squeezed.context.data import Context
from squeezed.context.window import window_weights
from squeezed.methods.scored import by_attention, require_own_sharing
from squeezed.methods.snapkv import SnapKV


@dataclass(frozen=True)
class CAKE(SnapKV):
    """A key scores the mean of the window's weights on it and, many times over, their variance.

    A layer's size is proportional to ``entropy ** (1 / tau1) * variance ** (1 / tau2)`` of its window's
    weights (``share="cake"`` gives other methods' layers these sizes, at temperatures of 1).

    Attributes:
        gamma: weight of the variance in a key's score. tau1, tau2: the authors tune them for every model and
            size; these are for a model that nobody has tuned them for.

    Raises:
        ValueError: a temperature that is not above 0, another ``share``, or as for SnapKV.
    """

    queries: int = 32
    pool: str = "mean"
    gamma: float = 200.0
    tau1: float = 1.0
    tau2: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_own_sharing(self)
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
        return by_attention(context, first, scores, rows, self.queries, (self.tau1, self.tau2))
