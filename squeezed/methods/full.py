"""Full attention through the engine: the reference every method is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from squeezed.methods.base import Everything, Method, Selector

if TYPE_CHECKING:
    from squeezed.context import FixedContext


@dataclass(frozen=True)
class Full(Method):
    """Keeps every row."""

    indexed: ClassVar[bool] = False

    def bind(self, context: "FixedContext", backend: str) -> Sequence[Selector]:
        return [Everything() for _ in context.layers]
