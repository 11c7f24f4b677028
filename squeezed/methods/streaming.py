"""StreamingLLM (Xiao et al., arXiv 2309.17453): the first and the most recent tokens, whatever is asked."""

from dataclasses import dataclass

import torch

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.methods.base import BudgetedMethod, Selection


@dataclass(frozen=True)
class StreamingLLM(BudgetedMethod):
    """A static choice that needs no lookup: attention sinks and recent tokens.

    Attributes:
        sinks: first tokens that are always kept; they count towards the asked size.

    Raises:
        ValueError: a negative number of sinks.
    """

    sinks: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")

    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        share = 1 - self.solve_sparsity(layer, 0)
        kept = max(1, round(share * layer.clustered))
        sinks = min(self.sinks, kept)
        positions = layer.positions
        keep = (positions < sinks) | (positions >= layer.clustered - (kept - sinks))
        return Selection(keep.expand(query.shape[0], -1, -1), None)
