"""SnapKV (Li et al., arXiv 2404.14469): keys that a window of queries attends to, pooled over neighbours."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.selection.kept import Selection
from squeezed.selection.selectors import Selector, Static, best_rows

OBSERVE = ("window", "input")


@dataclass(frozen=True)
class SnapKV(BudgetedMethod):
    """A choice made once, from attention weights that are pooled so that neighbours of a hit stay with it.

    Attributes:
        observe: whose queries choose. ``window``: the last of the fixed context, before any question is
            known, as when the context is compressed once for many users. ``input``: the user input's own, at
            its prefill, which reads every key once.
        queries: last queries that are observed (paper: 32 or 64). kernel: width of the max pooling, odd.

    Raises:
        ValueError: an unknown observation, an even kernel; at ``bind``: the context kept no window queries.
    """

    observe: str = "window"
    queries: int = 64
    kernel: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.observe not in OBSERVE:
            raise ValueError(f"observe is {self.observe!r}; expected one of {', '.join(OBSERVE)}")
        if self.queries < 1:
            raise ValueError(f"queries is {self.queries}; expected at least 1")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; expected an odd width of at least 1")

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        if self.observe == "input":
            return SnapKVSelector(self, layer, size, backend)
        if layer.queries is None:
            raise ValueError(
                "SnapKV observes the window's queries, and this context kept none; prepare it with "
                "keep_queries=True"
            )
        observed = layer.queries[None, :, -self.queries :]
        return Static(self.choose(layer, size, observed, None, backend)[0])

    def choose(
        self,
        layer: LayerIndex,
        size: Size,
        query: torch.Tensor,
        valid: torch.Tensor | None,
        backend: str,
    ) -> torch.Tensor:
        """The rows to which queries ``[B, Hq, L, D]`` attend most, boolean ``[B, H, M]``.

        Args:
            size: to meet. valid: boolean ``[B, L]``, false for padding; ``None``: no padding.
        """
        keys = layer.keys[:, : layer.clustered].to(query.device)
        counts = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
        scores = lookup(
            query,
            keys,
            counts,
            layer.scale,
            softcap=layer.softcap,
            valid=valid,
            backend=backend,
        )[:, :, 0]
        by_place = layer.in_place_order(scores.transpose(0, 1).transpose(1, 2))  # [H, M, B]
        pooled = functional.max_pool1d(
            by_place.transpose(1, 2), self.kernel, stride=1, padding=self.kernel // 2
        )
        # Pooling makes ties; chosen by place they go to the first, wherever the rows are stored.
        best = best_rows(pooled, size.row_count(layer))
        places = layer.positions.long()[:, None].expand(-1, len(query), -1)
        return best.gather(2, places).transpose(0, 1)


@dataclass
class SnapKVSelector:
    """The choice of one conversation's user input on one layer, once it is made: boolean ``[B, H, M]``."""

    method: SnapKV
    layer: LayerIndex
    size: Size
    backend: str
    keep: torch.Tensor | None = None
    block: int | None = None

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        read = 0.0
        if self.keep is None:
            last = slice(-self.method.queries, None)
            seen = None if valid is None else valid[:, last]
            layer = self.layer
            self.keep = self.method.choose(layer, self.size, query[:, :, last], seen, self.backend)
            keys = layer.keys.shape[2] * layer.keys.itemsize
            values = layer.values.shape[2] * layer.values.itemsize
            read = layer.clustered * keys / (keys + values)
        return Selection(self.keep[:, :, None], None, read)
