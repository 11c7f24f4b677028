"""Twilight (Lin et al., arXiv 2502.02770): another method's candidates, thinned out by their mass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import lookup

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.methods.quest import Quest
from squeezed.methods.sketched import quantised, token_bytes
from squeezed.selection.kept import Selection
from squeezed.selection.rules import top_mass
from squeezed.selection.selectors import Selector

SCALE_BYTES = 4  # zero point and step of a key, 16 bits each


@dataclass(frozen=True)
class Twilight(BudgetedMethod):
    """Candidates of a first method, weighed by keys in a few bits; kept are the fewest that hold a mass.

    The softmax runs over the candidates only. How many keys are left, each head and query decides: the size
    that is asked for is the most that is read, first lookup, estimate and all candidates included.

    Attributes:
        mass: that the kept candidates hold, in (0, 1]. bits: of an entry of the keys that weights are
            estimated with, one step a key.
        page: of Quest, which finds the candidates. first: another method for it, in Python only.

    Raises:
        ValueError: a number out of range.
    """

    sized: ClassVar[bool] = False

    mass: float = 0.85
    bits: int = 4
    page: int = 16
    first: BudgetedMethod | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.mass <= 1:
            raise ValueError(f"mass is {self.mass}; expected a probability mass in (0, 1]")
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits is {self.bits}; expected 1 to 8")
        if self.first is not None and not isinstance(self.first, BudgetedMethod):
            raise ValueError(f"first is {self.first!r}; expected a method with a size, or None")
        if self.page < 1:
            raise ValueError(f"page is {self.page}; expected at least 1 key")

    @property
    def finder(self) -> BudgetedMethod:
        """The method that finds the candidates."""
        return self.first if self.first is not None else Quest(page=self.page)

    def lookup_floor(self, layer: LayerIndex) -> float:
        return self.finder.lookup_floor(layer)

    def rows_always(self, layer: LayerIndex) -> int:
        return self.finder.rows_always(layer)

    def estimate_cost(self, layer: LayerIndex) -> float:
        """Bytes of a key in few bits over the bytes of a token's key and value."""
        return (layer.keys.shape[2] * self.bits / 8 + SCALE_BYTES) / token_bytes(layer)

    def selectors(
        self, context: Context, first: int, size: Size, backend: str
    ) -> Sequence[Selector]:
        layer = context.layers[first]
        if size.sparsity is None:  # every candidate is estimated, and may be kept
            fixed = layer.window + self.lookup_floor(layer)
            rows = (size.tokens - fixed) / (1 + self.estimate_cost(layer))
            size = Size(None, fixed + rows)
        found = self.finder.selectors(context, first, size, backend)
        return [
            TwilightSelector(
                self, each, context.layers[number], self._coded(context, number), backend
            )
            for number, each in enumerate(found, start=first)
        ]

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        """Of one layer, as if those before it were dense."""
        return self.selectors(context, number, size, backend)[0]

    def _coded(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]

        def build() -> torch.Tensor:
            keys = layer.keys[:, : layer.clustered].to(layer.device)
            return quantised(keys, self.bits, 2).to(keys.dtype)

        coded: torch.Tensor = context.derive(("keys by token", self.bits, number), build)
        return coded


@dataclass
class TwilightSelector:
    """The second pass on one layer; ``coded``: keys in a few bits ``[H, M, D]``."""

    method: Twilight
    first: Selector
    layer: LayerIndex
    coded: torch.Tensor
    backend: str

    @property
    def block(self) -> int | None:
        return self.first.block

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection | None:
        found = self.first.select(query, valid)
        if found is None:
            return None
        candidates, layer = found.row_mask(), self.layer
        counts = torch.ones(self.coded.shape[:2], dtype=torch.int32, device=query.device)
        scores = lookup(
            query,
            self.coded,
            counts,
            layer.scale,
            softcap=layer.softcap,
            block=self.block,
            valid=valid,
            candidates=candidates.contiguous(),
            backend=self.backend,
        )
        keep = top_mass(scores, counts, self.method.mass)
        estimated = candidates.sum(-1, dtype=torch.float32) * self.method.estimate_cost(layer)
        return Selection(keep, None, found.lookup + estimated, found.block)
