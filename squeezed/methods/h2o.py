"""H2O (Zhang et al., arXiv 2306.14048): keys that received most attention so far, and recent ones."""

from dataclasses import dataclass
from typing import ClassVar

from squeezed.context.data import Context
from squeezed.methods.base import BudgetedMethod, Size, statistic
from squeezed.model.statistics import RECEIVED_ATTENTION
from squeezed.selection.selectors import Selector, Static, best_rows


@dataclass(frozen=True)
class H2O(BudgetedMethod):
    """Heavy hitters of the fixed context's own prefill, accumulated over all its queries.

    The published method evicts as it goes; here the context is whole before the first question, so the choice
    is made once, by the scores accumulated until then, and no question changes it.

    Attributes:
        recent: share of the asked size that goes to the most recent tokens (paper: a half).

    Raises:
        ValueError: a share outside [0, 1]; at ``bind``: the context was prepared without the statistic.
    """

    needs: ClassVar[tuple[str, ...]] = (RECEIVED_ATTENTION,)

    recent: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.recent <= 1:
            raise ValueError(f"recent is {self.recent}; expected a share in [0, 1]")

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        received = statistic(layer, RECEIVED_ATTENTION, "H2O")
        kept = size.row_count(layer)
        recent = round(self.recent * kept)
        is_recent = layer.positions >= layer.clustered - recent
        scores = received.masked_fill(is_recent, float("inf"))
        return Static(best_rows(scores, kept))
