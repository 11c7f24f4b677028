"""Keys as the bits of a code over a few bases, and the lookup that reads nothing else."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup, lookup_codes

from squeezed.methods.sketched import Lookup, SketchSelector, keep_with
from squeezed.selection.kept import Selection
from squeezed.selection.products import products
from squeezed.selection.rules import top_rows


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

    def nearest(
        self, query: torch.Tensor, valid: torch.Tensor | None, how: Lookup, keys: torch.Tensor
    ) -> torch.Tensor:
        """The groups whose bases score highest, with as many ``keys`` together, boolean ``[B, H, T, C]``."""
        counts = self.offsets.diff(dim=1)
        scores = lookup(
            query.to(self.bases.dtype),
            self.bases,
            counts,
            how.scale,
            softcap=how.softcap,
            block=how.block,
            reduce=how.reduce,
            valid=valid,
            backend=how.backend,
        )
        return top_rows(scores, counts, keys)

    def log_scores(
        self,
        query: torch.Tensor,
        valid: torch.Tensor | None,
        how: Lookup,
        visited: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """As of a ``Scorer``; ``-inf`` for keys of groups not ``visited``, boolean ``[B, H, T, C]``."""
        return lookup_codes(
            how.scale * products(query, self.maps),
            how.scale * products(query, self.bases),
            self.codes,
            self.offsets,
            softcap=how.softcap,
            block=how.block,
            reduce=how.reduce,
            valid=valid,
            candidates=visited,
            backend=how.backend,
        )


@dataclass(frozen=True)
class ShortSelector(SketchSelector):
    """A lookup in two steps: the nearest groups, then the codes of their keys.

    Attributes:
        sketch: the keys. read: tokens that the first step reads. keys: that the second may look at.
        a_key: tokens that a code takes.
    """

    sketch: CodedKeys
    keys: float
    a_key: float

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer = self.rule.layer
        how = Lookup(layer.scale, layer.softcap, self.block, self.rule.method.reduce, self.backend)
        keys = torch.tensor(self.keys, device=query.device)
        visited = self.sketch.nearest(query, valid, how, keys)
        scores = self.sketch.log_scores(query, valid, how, visited)
        groups = self.sketch.offsets.diff(dim=1)[:, None].to(visited.device)
        read = self.read + self.a_key * (visited * groups).sum(-1)
        counts = torch.ones(scores.shape[1::2], dtype=torch.int32, device=scores.device)
        keep = keep_with(self.rule, scores, counts, read, self.always)
        return Selection(keep, None, read, self.block)
