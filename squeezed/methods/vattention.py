"""vAttention (Desai et al., arXiv 2510.05688): best keys, and a random sample that speaks for the rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import ClassVar

import torch
from squeezed_kernels import sample_moments

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.methods.pqcache import PQCache
from squeezed.selection.kept import Selection
from squeezed.selection.selectors import Selector

LEAST = 2  # rows of a sample that tells how its numbers vary


@dataclass(frozen=True)
class VAttention(BudgetedMethod):
    """Sinks and the best keys of a first method, and of the others so many that the softmax's denominator is
    right to a tolerance.

    A small sample of the rest tells how their exponentials vary, and so how many are needed; each that is
    drawn weighs as many as it stands for. Every query token draws for itself. The size is the most that is
    read; a part of it goes to the first method.

    Attributes:
        sinks: first tokens that are always kept. heavy: share of the size for the first method's best keys.
        base: share of the rest that is always drawn. error: of the denominator, relative. risk: that it is
            larger. seed: of the draws. first: the method that finds the best keys; ``None``: ``PQCache``.

    Raises:
        ValueError: a number out of range.
    """

    sized: ClassVar[bool] = False

    sinks: int = 128
    heavy: float = 0.5
    base: float = 0.025
    error: float = 0.1
    risk: float = 0.1
    seed: int = 0
    first: BudgetedMethod | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")
        for name in ("heavy", "base"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a share in (0, 1)")
        if not self.error > 0:
            raise ValueError(f"error is {self.error}; expected a number above 0")
        if not 0 < self.risk < 0.5:
            raise ValueError(f"risk is {self.risk}; expected a probability in (0, 0.5)")
        if self.first is not None and not isinstance(self.first, BudgetedMethod):
            raise ValueError(f"first is {self.first!r}; expected a method with a size, or None")

    @property
    def finder(self) -> BudgetedMethod:
        """The method that finds the best keys; it chooses for every query token."""
        return self.first if self.first is not None else PQCache(sinks=self.sinks, block=1)

    def lookup_floor(self, layer: LayerIndex) -> float:
        return self.finder.lookup_floor(layer)

    def rows_always(self, layer: LayerIndex) -> int:
        """What the smallest size is spent on that has room for the sample that is always drawn: the first
        method's part of it, sinks beside that, and the sample of all others."""
        sinks, theirs = min(self.sinks, layer.clustered), self.finder.rows_always(layer)
        # A method that keeps as many rows as there are sinks keeps the sinks itself.
        beside = sinks if theirs < sinks else 0
        drawn, heavy = self.base, self.heavy
        least = (beside * (1 - drawn) + drawn * layer.clustered) / (1 - heavy * (1 - drawn))
        best = max(sinks, theirs, math.ceil(heavy * least) + beside)
        sample = max(LEAST, math.ceil(drawn * (layer.clustered - best)))
        return min(best + sample, layer.clustered)

    def selectors(
        self, context: Context, first: int, size: Size, backend: str
    ) -> Sequence[Selector]:
        layer = context.layers[first]
        rows = float(size.rows(layer, self.lookup_floor(layer)))
        if size.sparsity is None:
            fixed = layer.window + self.lookup_floor(layer)
            part = Size(None, fixed + max(self.heavy * rows, min(self.sinks, rows)))
        else:
            part = Size(1 - self.heavy * (1 - size.sparsity), math.nan)
        found = self.finder.selectors(context, first, part, backend)
        return [
            VAttentionSelector(self, each, context.layers[number], number, rows, backend)
            for number, each in enumerate(found, start=first)
        ]

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        """Of one layer, as if those before it were dense."""
        return self.selectors(context, number, size, backend)[0]


@dataclass
class VAttentionSelector:
    """The draw on one layer; ``rows``: that may be kept, the first method's included."""

    method: VAttention
    first: Selector
    layer: LayerIndex
    number: int
    rows: float
    backend: str
    block: int | None = 1
    _generator: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        self._generator.manual_seed(self.method.seed * 1_000_003 + self.number)

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer, length = self.layer, query.shape[2]
        found = self.first.select(query, valid)
        assert found is not None
        best = found.row_mask()
        best = best.repeat_interleave(length // best.shape[2], 2)  # [B, H, L, M]
        best = best | layer.among_first(self.method.sinks)[None, :, None]
        drawn, count, rest = self._draw(query, best)
        weight = (rest.float() / count.clamp(min=1)).log().unsqueeze(-1)
        logs = torch.where(best, 0.0, torch.where(drawn, weight, -torch.inf))
        group = query.shape[1] // layer.heads
        read = found.lookup
        if isinstance(read, torch.Tensor) and read.ndim:
            read = read.expand(*found.keep.shape[:3]).repeat_interleave(
                length // found.keep.shape[2], 2
            )
        by_query_head = logs.repeat_interleave(group, dim=1)
        return Selection(best | drawn, None, read, self.block, log_weights=by_query_head)

    def _draw(
        self, query: torch.Tensor, best: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rows that are drawn ``[B, H, L, M]``, their number and that of all they stand for ``[B, H, L]``."""
        layer, method = self.layer, self.method
        rest = ~best
        total = rest.sum(-1)
        # One order for all members of a batch and all tokens: each sample is uniform, whoever is beside.
        order = torch.rand(layer.heads, layer.clustered, generator=self._generator)
        by_row = order.gather(1, layer.positions.long().cpu()).to(query.device)
        rank = ranks(rest, by_row)
        base = (method.base * total).ceil().clamp(min=LEAST).minimum(total)
        sample = (rank < base.unsqueeze(-1)) & rest
        sizes = self._needed(query, best, sample, total)
        room = (self.rows - best.sum(-1)).clamp(min=0)
        count = sizes.maximum(base).minimum(total).minimum(room.floor().maximum(base)).long()
        return (rank < count.unsqueeze(-1)) & rest, count, total

    def _needed(
        self, query: torch.Tensor, best: torch.Tensor, sample: torch.Tensor, total: torch.Tensor
    ) -> torch.Tensor:
        """Rows to draw, ``[B, H, L]``: as many as the query head that needs most of them."""
        layer = self.layer
        moments = sample_moments(
            query,
            layer.keys.to(query.device),
            best,
            sample,
            layer.scale,
            softcap=layer.softcap,
            backend=self.backend,
        )
        read, drawn, apart = moments.unflatten(1, (layer.heads, -1)).unbind(-1)  # [B, H, G, L]
        number, total = sample.sum(-1).unsqueeze(2), total.unsqueeze(2)
        deviation = (apart / (number - 1).clamp(min=1)).sqrt()
        whole = read + total * drawn / number.clamp(min=1)
        quantile = NormalDist().inv_cdf(1 - self.method.risk)
        return sample_size(deviation, total, whole, self.method.error, quantile).amax(2)


def ranks(rest: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """The rank of each row among those of ``rest``, boolean ``[B, H, T, M]``, by an order ``[H, M]``, int32.

    A count along the order: sorting for every token takes many times as long.
    """
    ways = order.argsort(dim=-1, stable=True)
    found = torch.empty(rest.shape, dtype=torch.int32, device=rest.device)
    for head, way in enumerate(ways):
        in_order = rest[:, head][..., way]
        found[:, head][..., way] = in_order.cumsum(-1, dtype=torch.int32) - 1
    return found


def sample_size(
    deviation: torch.Tensor,
    count: torch.Tensor,
    whole: torch.Tensor,
    error: float,
    quantile: float,
) -> torch.Tensor:
    """How many of ``count`` numbers to draw, so that their sum is right to ``error`` times ``whole``.

    Args:
        deviation: of the numbers, estimated. whole: estimate of what the sum is a part of.
        quantile: of the normal distribution, at one minus the risk.
    """
    return (quantile * deviation * count / (error * whole.clamp(min=1e-30))).square().ceil()
