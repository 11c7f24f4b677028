"""What methods share that score every key once and keep the best, whatever is asked."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from squeezed.context.data import Context
from squeezed.context.window import attention_spread
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import SPARSE, BudgetedMethod, Size
from squeezed.selection import allocate
from squeezed.selection.selectors import Selector, Static, best_rows

UNIFORM, ADAPTIVE, PYRAMID, TOGETHER, CAKE = "uniform", "adaptive", "pyramid", "together", "cake"
SHARINGS = (UNIFORM, ADAPTIVE, PYRAMID, TOGETHER, CAKE)
CAKE_QUERIES = 32  # of the window, whose attention layers share a size by


@dataclass(frozen=True)
class ScoredMethod(BudgetedMethod):
    """A static choice by a score of every key.

    Attributes:
        sinks: first tokens that are always kept; they count towards the size.
        share: how layers and heads share the size. ``uniform``: equally. ``adaptive``: the heads of a layer
            by their scores (Ada-KV). ``pyramid``: less for every layer (PyramidKV). ``together``: the best of
            all keys, one threshold for the model (KVzip). ``cake``: layers by how their window's attention
            spreads and shifts (CAKE).
        floor: with ``adaptive``, the share of the size that every head gets for certain.
        beta: with ``pyramid``, the mean size over that of the last layer.

    Raises:
        ValueError: an unknown sharing, or a number out of range.
    """

    sinks: int = 0
    share: str = UNIFORM
    floor: float = 0.2
    beta: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")
        if self.share not in SHARINGS:
            raise ValueError(f"share is {self.share!r}; expected one of {', '.join(SHARINGS)}")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor is {self.floor}; expected a share in [0, 1]")
        if not self.beta >= 1:
            raise ValueError(f"beta is {self.beta}; expected at least 1")

    @abc.abstractmethod
    def scores(self, context: Context, number: int) -> torch.Tensor:
        """The score of every clustered row of a layer, float32 ``[H, M]`` in cluster order.

        Raises:
            ValueError: the context lacks what the score is made of.
        """

    def rows_always(self, layer: LayerIndex) -> int:
        return min(self.sinks, layer.clustered)

    def always(self, layer: LayerIndex) -> torch.Tensor:
        """Rows that are kept whatever they score, boolean ``[H, M]``."""
        return layer.among_first(self.sinks)

    def shared(
        self, context: Context, first: int, scores: Sequence[torch.Tensor], rows: float
    ) -> list[torch.Tensor]:
        """Rows of each head, int64 ``[H]`` for each layer from number ``first`` on.

        Args:
            scores: of those layers, with the rows that are always kept at the top. rows: a head on average.
        """
        if self.share == ADAPTIVE:
            return [allocate.adaptive(each, max(1, round(rows)), self.floor) for each in scores]
        if self.share == PYRAMID:
            sizes = allocate.pyramid(rows, len(scores), scores[0].shape[1], self.beta)
            return [
                torch.full((len(each),), min(size, each.shape[1]))
                for each, size in zip(scores, sizes, strict=True)
            ]
        if self.share == TOGETHER:
            return allocate.together(scores, rows)
        if self.share == CAKE:
            return by_attention(context, first, scores, rows, CAKE_QUERIES, (1.0, 1.0))
        return allocate.uniform(rows, scores)

    def _scores_once(self, context: Context, number: int) -> torch.Tensor:
        """The scores, which do not depend on the size; kept with the context."""
        alike = replace(
            self,
            sparsity=0.0,
            kv_budget=None,
            kv_tokens=None,
            question=SPARSE,
            dense_layers=0,
            share=UNIFORM,
        )
        found: torch.Tensor = context.derive(
            ("scores", type(self).__name__, alike, number), lambda: self.scores(context, number)
        )
        return found

    def selectors(
        self, context: Context, first: int, size: Size, backend: str
    ) -> Sequence[Selector]:
        layers = context.layers[first:]
        numbers = range(first, len(context.layers))
        scores = [
            self._scores_once(context, number).masked_fill(self.always(layer), torch.inf)
            for number, layer in zip(numbers, layers, strict=True)
        ]
        rows = float(size.rows(layers[0], 0.0))
        counts = self.shared(context, first, scores, rows)
        return [
            Static(self.kept(context, number, each, self.counted(context.layers[number], count)))
            for number, each, count in zip(numbers, scores, counts, strict=True)
        ]

    def kept(
        self, context: Context, number: int, scores: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """Rows of a layer that are kept, boolean ``[H, M]``, from scores ``[H, M]`` and counts ``[H]``."""
        return kept_rows(scores, counts, context.layers[number])

    def counted(self, layer: LayerIndex, counts: torch.Tensor) -> torch.Tensor:
        """Rows to keep of each head, of which those that are always kept are a part."""
        return counts.to(layer.device).maximum(self.always(layer).sum(-1))

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        """Of one layer, as if those before it were dense."""
        return self.selectors(context, number, size, backend)[0]


def require_scores(method: object) -> None:
    """Refuses something else where a method with scores of its own, or ``None``, is expected.

    Raises:
        ValueError: so it is.
    """
    if method is not None and not isinstance(method, ScoredMethod):
        raise ValueError(
            f"first is {method!r}; expected a method that scores every key once, or None"
        )


def require_own_sharing(method: ScoredMethod) -> None:
    """Refuses another way to share a size for a method whose own way is a part of it.

    Raises:
        ValueError: so it is.
    """
    if method.share != UNIFORM:
        raise ValueError(
            f"share is {method.share!r}, but {type(method).__name__} divides a size in a way of its own; "
            "leave share out, or give it to another method"
        )


def by_attention(
    context: Context,
    first: int,
    scores: Sequence[torch.Tensor],
    rows: float,
    queries: int,
    tau: tuple[float, float],
) -> list[torch.Tensor]:
    """CAKE's sizes: a layer's is proportional to ``entropy ** (1 / tau[0]) * variance ** (1 / tau[1])`` of
    its window's attention; its heads share it equally.

    Args:
        first, scores, rows: as for ``ScoredMethod.shared``. queries: of the window, the last ones.
    """
    found = [
        context.derive(
            ("spread of attention", queries, number),
            partial(attention_spread, context.layers[number], queries),
        )
        for number in range(first, len(context.layers))
    ]
    entropy, variance = zip(*found, strict=True)
    shares = allocate.cake(entropy, variance, tau)
    sizes = allocate.shares_to_rows(shares, rows * len(scores), scores[0].shape[1])
    return [torch.full((len(s),), size) for s, size in zip(scores, sizes, strict=True)]


def kept_rows(scores: torch.Tensor, counts: torch.Tensor, layer: LayerIndex) -> torch.Tensor:
    """The best rows of each head, boolean ``[H, M]`` in cluster order; of equal ones those that come first
    in the context, so that the clustering decides nothing.

    Args:
        scores: ``[H, M]`` in cluster order. counts: ``[H]``.
    """
    best = best_rows(layer.in_place_order(scores), counts)
    return best.gather(1, layer.positions.long())
