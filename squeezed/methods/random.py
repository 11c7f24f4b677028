"""Random rows: the floor that any method has to beat at its budget."""

from dataclasses import dataclass

import torch

from squeezed.context.data import Context
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.selection.selectors import Selector, Static, best_rows


@dataclass(frozen=True)
class Random(BudgetedMethod):
    """A static choice: rows drawn uniformly without replacement, for each layer and head on its own.

    Attributes:
        seed: of the draw. The rows of a smaller size are among those of a larger one.
    """

    seed: int = 0

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        # Drawn for places of the context, so that the clustering does not change the draw.
        by_place = torch.rand(layer.heads, layer.clustered, generator=generator)
        scores = by_place.gather(1, layer.positions.long().cpu())
        return Static(best_rows(scores, size.row_count(layer)).to(layer.device))
