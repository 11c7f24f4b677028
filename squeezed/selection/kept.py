"""What one forward pass keeps of the fixed rows in one layer, and what speaks for the rest."""

from dataclasses import dataclass

import torch
from squeezed_kernels import children


@dataclass(frozen=True)
class Selection:
    """The groups of clustered rows that one forward pass keeps in one layer.

    Attributes:
        keep: boolean ``[B, H, T, C]``, for each of T blocks of queries. offsets: int32 ``[H, C + 1]``, rows
            of each group; ``None`` when every row is its own group (C = M).
        lookup: what the choice has read, in tokens (the bytes of a key and a value), broadcastable to
            ``[B, H, T]``.
        block: query tokens a block; ``None``: all, T = 1.
        stand_ins: what speaks for dropped groups, if anything does.
        rest: one value that speaks for all rows that are not kept, if one does.
        log_weights: of each query head, added to the logits of the clustered rows, ``[B, Hq, T, M]``;
            ``-inf`` for rows that it does not attend to. ``None``: every kept row weighs one.
    """

    keep: torch.Tensor
    offsets: torch.Tensor | None
    lookup: torch.Tensor | float = 0.0
    block: int | None = None
    stand_ins: "StandIns | None" = None
    log_weights: torch.Tensor | None = None
    rest: "Rest | None" = None

    @property
    def only_rows(self) -> bool:
        """Nothing speaks for what is dropped, and every kept row weighs one."""
        return self.stand_ins is None and self.rest is None and self.log_weights is None

    def row_mask(self) -> torch.Tensor:
        """Boolean ``[B, H, T, M]`` over the clustered rows."""
        return self.keep if self.offsets is None else children(self.keep, self.offsets)

    def rows(self) -> torch.Tensor:
        """Kept rows of each KV head and block, float32 ``[B, H, T]``."""
        if self.offsets is None:
            return self.keep.sum(-1, dtype=torch.float32)
        return (self.keep * self.offsets.diff(dim=1)[:, None]).sum(-1, dtype=torch.float32)


@dataclass(frozen=True)
class StandIns:
    """Centroids that stand for the keys of dropped groups (Multipole Attention, arXiv 2506.13059).

    Attributes:
        keys, values: mean key and mean value of each group, ``[H, C, D]``. counts: keys of each, ``[H, C]``.
        used: boolean ``[B, H, T, C]``, the groups that are represented.
    """

    keys: torch.Tensor
    values: torch.Tensor
    counts: torch.Tensor
    used: torch.Tensor


@dataclass(frozen=True)
class Rest:
    """A value that stands for all dropped rows together (SparQ Attention, arXiv 2312.04985).

    Attributes:
        values: of each KV head, ``[H, D]``.
        log_ratio: log of the dropped rows' share of the softmax over that of the kept ones and the window, as
            it is estimated, float32 ``[B, Hq, L]``; ``-inf`` where nothing is dropped.
    """

    values: torch.Tensor
    log_ratio: torch.Tensor
