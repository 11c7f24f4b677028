"""ChunkKV (Liu et al., arXiv 2502.00299): whole chunks of neighbours, by the attention that they get."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.methods.scored import ScoredMethod, require_scores
from squeezed.methods.snapkv import SnapKV


@dataclass(frozen=True)
class ChunkKV(SnapKV):
    """Another method's scores, summed over the heads, averaged over each chunk of the context.

    All heads of a layer keep the same chunks; the last one kept is cut to meet the size.

    Attributes:
        chunk: tokens a chunk (paper: 10; kvpress: 20). first: the method whose scores these are, in Python
            only; ``None``: SnapKV's, without pooling. The context is prepared with what it ``needs``.

    Raises:
        ValueError: a chunk below 1 token, no scores, or as for SnapKV.
    """

    kernel: int = 1
    chunk: int = 20
    first: ScoredMethod | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_scores(self.first)
        if self.chunk < 1:
            raise ValueError(f"chunk is {self.chunk}; expected at least 1 token")

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        own = super().scores if self.first is None else self.first.scores
        by_place = layer.in_place_order(own(context, number)).sum(0)  # [M]
        count = len(by_place)
        missing = -count % self.chunk
        sums = functional.pad(by_place, (0, missing)).view(-1, self.chunk).sum(1)
        sizes = torch.full_like(sums, self.chunk)
        sizes[-1] -= missing
        means = (sums / sizes).repeat_interleave(self.chunk)[:count]
        return means.expand(layer.heads, -1).gather(1, layer.positions.long())
