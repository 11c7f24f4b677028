"""What selects rows on one layer: the protocol, and the two selectors that look at no question."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from squeezed_kernels import Ranked

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


@runtime_checkable
class Ranking(Protocol):
    """A selector that keeps the best groups, a known number of rows: a token's step can then be one call."""

    def ranked(self, query: torch.Tensor) -> tuple[Ranked, float] | None:
        """The groups that ``select`` would choose among, and what it reads for that, in tokens.

        Args:
            query: ``[B, Hq, 1, D]``, a token each.

        Returns:
            ``None`` where these settings choose in another way.
        """


@runtime_checkable
class Observing(Protocol):
    """A selector that looks at a user input before it selects, also at one that is attended densely."""

    def observe(
        self, query: torch.Tensor, valid: torch.Tensor | None, own: torch.Tensor, dense: bool
    ) -> None:
        """A pass of the user input, before ``select`` is asked for it.

        Args:
            query, valid: as for ``select``. own: log-sum-exp of each query's logits over the own tokens that
                it sees, ``[B, Hq, L]``; ``-inf`` for padding in front.
            dense: the pass reads everything, and ``select`` is not asked.
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


def best_rows(scores: torch.Tensor, count: int | torch.Tensor) -> torch.Tensor:
    """The ``count`` rows of each head with the largest scores, first come first; boolean ``[..., M]``.

    ``count``: one number, or one for each head ``[...]``.
    """
    order = scores.argsort(dim=-1, descending=True, stable=True)
    rank = torch.arange(scores.shape[-1], device=scores.device)
    wanted = torch.as_tensor(count, device=scores.device).unsqueeze(-1)
    taken = (rank < wanted).expand_as(order)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, taken)
