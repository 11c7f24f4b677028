"""SnapKV (Li et al., arXiv 2404.14469): keys that a window of queries attends to, pooled over neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.context.window import input_weights, window_weights
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.scored import UNIFORM, ScoredMethod, kept_rows
from squeezed.selection import allocate
from squeezed.selection.kept import Selection
from squeezed.selection.selectors import Selector

OBSERVE = ("window", "input")
GROUPS, POOLS = ("mean", "max"), ("max", "mean")


@dataclass(frozen=True)
class SnapKV(ScoredMethod):
    """A choice made once, from attention weights that are pooled so that neighbours of a hit stay with it.

    Weights are shares of all that a query sees, the observation window (and with ``observe="input"`` the user
    input itself) included. They are averaged over the queries, then over the query heads, then pooled.

    Attributes:
        observe: whose queries choose. ``window``: the last of the fixed context, before any question is
            known, as when the context is compressed once for many users. ``input``: the user input's own, at
            its prefill, which reads every key once.
        queries: last queries that are observed (paper: 32 or 64). kernel: width of the pooling, odd.
        pool: over neighbours, ``max`` or ``mean``. group: over the query heads, ``mean`` or ``max``.

    Raises:
        ValueError: an unknown name, an even kernel; at ``bind``: the context kept no window queries.
    """

    observe: str = "window"
    queries: int = 64
    kernel: int = 5
    pool: str = "max"
    group: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("observe", OBSERVE), ("pool", POOLS), ("group", GROUPS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        if self.queries < 1:
            raise ValueError(f"queries is {self.queries}; expected at least 1")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; expected an odd width of at least 1")
        if self.observe == "input" and (self.share != UNIFORM or type(self) is not SnapKV):
            raise ValueError(
                f"observe is 'input', which only SnapKV with share={UNIFORM!r} can: others compare what a "
                "user input's layers have not computed yet; use observe='window'"
            )

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        weights = window_weights(layer, self.queries, type(self).__name__)
        return self.pooled(layer, (each.mean(1) for each in weights))

    def pooled(self, layer: LayerIndex, by_query_head: Iterator[torch.Tensor]) -> torch.Tensor:
        """Scores ``[H, M]`` in cluster order from those of the query heads, ``[G, M]`` for each KV head."""
        by_head = [w.mean(0) if self.group == "mean" else w.amax(0) for w in by_query_head]
        by_place = layer.in_place_order(torch.stack(by_head))
        pool = functional.max_pool1d if self.pool == "max" else functional.avg_pool1d
        spread = pool(by_place[None], self.kernel, stride=1, padding=self.kernel // 2)[0]
        return spread.gather(1, layer.positions.long())

    def selectors(self, context: Context, first: int, size: Size, backend: str) -> list[Selector]:
        if self.observe == "window":
            return list(super().selectors(context, first, size, backend))
        return [SnapKVSelector(self, layer, size) for layer in context.layers[first:]]


@dataclass
class SnapKVSelector:
    """The choice on one layer by a user input, once it is made: boolean ``[B, H, M]``.

    Attributes:
        unpaid: tokens that the look at all keys has read and that no step has counted yet.
    """

    method: SnapKV
    layer: LayerIndex
    size: Size
    keep: torch.Tensor | None = None
    unpaid: float = 0.0
    block: int | None = None

    def observe(
        self, query: torch.Tensor, valid: torch.Tensor | None, own: torch.Tensor | None, dense: bool
    ) -> None:
        """Keeps the rows to which the last of these queries ``[B, Hq, L, D]`` attend most."""
        if self.keep is not None:
            return
        layer, last = self.layer, slice(-self.method.queries, None)
        count = allocate.uniform(float(self.size.rows(layer, 0.0)), [layer.positions])[0]
        always, keep = self.method.always(layer), []
        for member, asked in enumerate(query[:, :, last]):
            real = None if valid is None else valid[member, last]
            seen = None if own is None else own[member, :, last]
            if real is not None:
                asked = asked[:, real]
                seen = None if seen is None else seen[:, real]
            weights = input_weights(layer, asked, seen)
            scores = self.method.pooled(layer, (each.mean(1) for each in weights))
            scores = scores.masked_fill(always, torch.inf)
            keep.append(kept_rows(scores, self.method.counted(layer, count), layer))
        self.keep = torch.stack(keep)
        if not dense:  # full attention reads every key anyway
            keys = layer.keys.shape[2] * layer.keys.itemsize
            values = layer.values.shape[2] * layer.values.itemsize
            self.unpaid = layer.clustered * keys / (keys + values)

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        if self.keep is None:
            self.observe(query, valid, None, dense=False)
        assert self.keep is not None
        read, self.unpaid = self.unpaid, 0.0
        keep = self.keep[:, :, None]
        return Selection(keep.expand(len(query), -1, -1, -1), None, read)
