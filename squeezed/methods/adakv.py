"""Ada-KV (Feng et al., arXiv 2407.11550) over SnapKV: heads of a layer share its size by their scores."""

from dataclasses import dataclass

from squeezed.methods.scored import ADAPTIVE
from squeezed.methods.snapkv import SnapKV


@dataclass(frozen=True)
class AdaKV(SnapKV):
    """SnapKV's scores, max-pooled over 7 neighbours; a head gets as many keys as it has of a layer's best.

    The counts are the authors' (``squeezed.selection.allocate.adaptive``), with their floor.
    """

    queries: int = 32
    kernel: int = 7
    share: str = ADAPTIVE
