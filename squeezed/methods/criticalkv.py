"""CriticalKV (Feng et al., arXiv 2502.03805): a second choice by how much a value moves the output."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.methods.base import statistic
from squeezed.methods.scored import ScoredMethod, kept_rows, require_scores
from squeezed.methods.snapkv import SnapKV
from squeezed.model.statistics import OUTPUT_NORM


@dataclass(frozen=True)
class CriticalKV(SnapKV):
    """Half of a size goes by another method's scores, half by their product with the value's weight in the
    output: the L1 norm of the value behind the output projection.

    Attributes:
        epsilon: added to the score before the norm multiplies it. first: the method whose scores these are,
            in Python only; ``None``: SnapKV's. The context is prepared with what it ``needs`` as well.

    Raises:
        ValueError: a negative number, no scores, or as for SnapKV.
    """

    needs: ClassVar[tuple[str, ...]] = (OUTPUT_NORM,)

    epsilon: float = 1e-4
    first: ScoredMethod | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_scores(self.first)
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon is {self.epsilon}; expected 0 or more")

    def scores(self, context: Context, number: int) -> torch.Tensor:
        if self.first is not None:
            return self.first.scores(context, number)
        return super().scores(context, number)

    def kept(
        self, context: Context, number: int, scores: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        layer = context.layers[number]
        first = kept_rows(scores, counts // 2, layer)
        norms = statistic(layer, OUTPUT_NORM, "CriticalKV")
        moved = ((scores + self.epsilon) * norms).masked_fill(first, torch.inf)
        return kept_rows(moved, counts, layer)
