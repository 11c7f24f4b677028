"""Keys as the bits of a code over a few bases, and the lookup that reads nothing else."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup_codes

from squeezed.methods.sketched import Lookup


@dataclass(frozen=True)
class CodedKeys:
    """The clustered keys of one layer, in cluster order: a base that a group shares, and a code of each key.

    Attributes:
        bases: float32 ``[H, C, D]``. offsets: int32 ``[H, C + 1]``, the keys of each.
        codes: uint8 ``[H, M, P]``. maps: what a bit that is set adds to a key, float32 ``[H, 8 * P, D]``.
    """

    bases: torch.Tensor
    offsets: torch.Tensor
    codes: torch.Tensor
    maps: torch.Tensor

    def log_scores(
        self, query: torch.Tensor, valid: torch.Tensor | None, how: Lookup
    ) -> torch.Tensor:
        heads = len(self.codes)
        grouped = how.scale * query.float().unflatten(1, (heads, -1))  # [B, H, G, L, D]
        weights, base = (
            (grouped @ each.transpose(1, 2)[:, None]).flatten(1, 2)
            for each in (self.maps, self.bases)
        )
        return lookup_codes(
            weights,
            base,
            self.codes,
            self.offsets,
            softcap=how.softcap,
            block=how.block,
            reduce=how.reduce,
            valid=valid,
            backend=how.backend,
        )
