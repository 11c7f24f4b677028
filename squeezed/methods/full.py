"""Full attention through the engine: the reference every method is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from squeezed.context.data import Context
from squeezed.methods.base import Method
from squeezed.selection.selectors import Everything, Selector


@dataclass(frozen=True)
class Full(Method):
    """Keeps every row."""

    indexed: ClassVar[bool] = False

    def bind(self, context: Context, backend: str) -> Sequence[Selector]:
        return [Everything() for _ in context.layers]
