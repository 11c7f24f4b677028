"""PyramidKV (Cai et al., arXiv 2406.02069): SnapKV's keys, fewer in every layer."""

from dataclasses import dataclass

from squeezed.methods.scored import PYRAMID
from squeezed.methods.snapkv import SnapKV


@dataclass(frozen=True)
class PyramidKV(SnapKV):
    """SnapKV's scores over the last 8 queries, max-pooled over 7 neighbours; sizes fall by layer."""

    queries: int = 8
    kernel: int = 7
    share: str = PYRAMID
