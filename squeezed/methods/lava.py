"""LAVa (Shen et al., arXiv 2509.09754): attention times the largest value; layers share the size."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from squeezed.context.data import Context
from squeezed.methods.scored import require_own_sharing
from squeezed.methods.snapkv import SnapKV
from squeezed.selection import allocate


@dataclass(frozen=True)
class LAVa(SnapKV):
    """SnapKV's pooled weights times the largest L1 norm of the values of the head; the largest of a group.

    A layer's size is proportional to the entropy of its scores, over that of equal scores; its heads share it
    by where its best scores lie. The authors divide again after every layer; here all are known.

    Raises:
        ValueError: another ``share``, or as for SnapKV.
    """

    queries: int = 32
    kernel: int = 7
    group: str = "max"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_own_sharing(self)

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        norms = layer.values.float().abs().sum(-1).amax(1, keepdim=True)  # [H, 1]
        return super().scores(context, number) * norms.to(layer.device)

    def shared(
        self, context: Context, first: int, scores: Sequence[torch.Tensor], rows: float
    ) -> list[torch.Tensor]:
        shares = [
            evenness(self._scores_once(context, number))
            for number in range(first, len(context.layers))
        ]
        total = rows * len(scores)
        sizes = allocate.shares_to_rows(
            [each / sum(shares) for each in shares], total, scores[0].shape[1]
        )
        each_layer = zip(scores, sizes, strict=True)
        return [allocate.adaptive(each, size, self.floor) for each, size in each_layer]


def evenness(scores: torch.Tensor) -> float:
    """Entropy of scores ``[H, M]`` taken as shares of their sum, over that of equal ones: 0 to 1."""
    shares = scores.double().flatten()
    shares = shares / shares.sum().clamp(min=1e-300)
    entropy = float(-torch.xlogy(shares, shares).sum())
    return max(entropy / torch.tensor(float(max(2, len(shares)))).log().item(), 1e-6)
