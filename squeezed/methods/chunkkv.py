"""ChunkKV (Liu et al., arXiv 2502.00299): whole chunks of neighbours, by the attention that they get."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.methods.snapkv import SnapKV


@dataclass(frozen=True)
class ChunkKV(SnapKV):
    """SnapKV's scores without pooling, summed over the heads, averaged over each chunk of the context.

    All heads of a layer keep the same chunks; the last one kept is cut to meet the size.

    Attributes:
        chunk: tokens a chunk (paper: 10; kvpress: 20).

    Raises:
        ValueError: a chunk below 1 token, or as for SnapKV.
    """

    kernel: int = 1
    chunk: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk < 1:
            raise ValueError(f"chunk is {self.chunk}; expected at least 1 token")

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        by_place = layer.in_place_order(super().scores(context, number)).sum(0)  # [M]
        count = len(by_place)
        missing = -count % self.chunk
        sums = functional.pad(by_place, (0, missing)).view(-1, self.chunk).sum(1)
        sizes = torch.full_like(sums, self.chunk)
        sizes[-1] -= missing
        means = (sums / sizes).repeat_interleave(self.chunk)[:count]
        return means.expand(layer.heads, -1).gather(1, layer.positions.long())
