"""StreamingLLM (Xiao et al., arXiv 2309.17453): the first and the most recent tokens, whatever is asked."""

from dataclasses import dataclass

from squeezed.context.data import Context
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.selection.selectors import Selector, Static


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

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        kept = size.row_count(layer)
        sinks = min(self.sinks, kept)
        places = layer.positions
        return Static((places < sinks) | (places >= layer.clustered - (kept - sinks)))
