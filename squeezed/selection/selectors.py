"""What selects rows on one layer: the protocol, and the two selectors that look at no question."""

from dataclasses import dataclass
from typing import Protocol

import torch

from squeezed.selection.kept import Selection


class Selector(Protocol):
    """A method at work on one layer of one context, for one cache: it may keep state between steps."""

    @property
    def block(self) -> int | None:
        """Query tokens that are selected for together; ``None``: all of a forward pass."""

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection | None:
        """Selects groups of clustered rows.

        Args:
            query: ``[B, Hq, L, D]``, the queries processed together (user inputs, or one token each); if the
                selector has a block, L is a multiple of it.
            valid: boolean ``[B, L]``, false for padding; ``None``: no padding.

        Returns:
            The selection, or ``None`` for all rows.
        """


class Everything:
    """Selects all rows: full attention, and the dense layers of a hybrid."""

    block: int | None = None

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection | None:
        return None


@dataclass(frozen=True)
class Static:
    """Selects the same rows at every step.

    Attributes:
        keep: boolean ``[H, M]`` over the clustered rows.
    """

    keep: torch.Tensor
    block: int | None = None

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        keep = self.keep.to(query.device)
        return Selection(keep[None, :, None].expand(len(query), -1, -1, -1), None)


def best_rows(scores: torch.Tensor, count: int) -> torch.Tensor:
    """The ``count`` rows of each head with the largest scores, first come first; boolean ``[..., M]``."""
    order = scores.argsort(dim=-1, descending=True, stable=True)[..., :count]
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, True)
