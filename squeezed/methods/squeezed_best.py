"""This suite's own setting: clusters make a shortlist, and what is left of each key in few bits ranks it.

A centroid says what its keys have in common. What it does not say, the rest of a key, decides which keys of a
near cluster are worth their bytes. Quantised to two bits an entry the rest costs a thirty-second of a float32
token, and is read for the shortlist only. Inverted lists with coded residuals are common in nearest-neighbour
search (Jegou et al., 2011, section IV); for a KV cache, codes of whole keys are (KIVI, arXiv 2402.02750, with
one step a channel as here).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import children, lookup

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.sketched import quantised, require_rows, token_bytes
from squeezed.selection.kept import Selection
from squeezed.selection.rules import top_rows
from squeezed.selection.selectors import Selector

# The step, in standard deviations, with which a uniform quantiser of so many bits loses least of a normally
# distributed value (J. Max, Quantizing for minimum distortion, 1960, table II).
STEPS = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 5: 0.1881, 6: 0.1041, 7: 0.0569, 8: 0.0308}
SCALE_BYTES = 4  # zero point and step, 16 bits each


@dataclass(frozen=True)
class SqueezedBest(RuledMethod):
    """Centroids in few bits find a shortlist of clusters; codes of its keys say which rows are read.

    The lookup reads every centroid of the finest level, and the codes of the shortlist; both count.

    Attributes:
        shortlist: rows of the shortlist, as a multiple of the rows that are read.
        bits: of an entry of a code. centroid_bits: of an entry of a centroid.

    Raises:
        ValueError: a number out of range, or a rule that has no calibration here.
    """

    clustered: ClassVar[bool] = True

    rule: str = "topk"
    shortlist: float = 4.0
    bits: int = 2
    centroid_bits: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule != "topk":
            raise ValueError(f"rule is {self.rule!r}; squeezed_best has no calibration: topk")
        if not self.shortlist >= 1:
            raise ValueError(f"shortlist is {self.shortlist}; expected 1 or more")
        for name in ("bits", "centroid_bits"):
            if getattr(self, name) not in STEPS:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 1 to {max(STEPS)}")

    def lookup_floor(self, layer: LayerIndex) -> float:
        """Tokens that reading the centroids and the steps of the codes is worth."""
        size = layer.keys.shape[2]
        centroid = size * self.centroid_bits / 8 + SCALE_BYTES
        steps = size * SCALE_BYTES / 2
        return (layer.levels[-1].clusters * centroid + steps) / token_bytes(layer)

    def code_cost(self, layer: LayerIndex) -> float:
        """Bytes of a code over those of a token's key and value."""
        return layer.keys.shape[2] * self.bits / 8 / token_bytes(layer)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        require_rows(layer, size, self.lookup_floor(layer), 0)
        centroids, codes = context.derive(
            ("residual codes", self.bits, self.centroid_bits, number), lambda: self._coded(layer)
        )
        return SqueezedBestSelector(
            self, Rule(self, size, layer, number), centroids, codes, backend
        )

    def _coded(self, layer: LayerIndex) -> tuple[torch.Tensor, torch.Tensor]:
        """Centroids ``[H, C, D]`` and keys ``[H, M, D]`` as the bits that are read decode to."""
        level = layer.levels[-1]
        centroids = quantised(level.centroids.to(layer.device), self.centroid_bits, 2)
        rows = torch.arange(layer.clustered, device=layer.device, dtype=level.offsets.dtype)
        rows = rows.expand(layer.heads, -1).contiguous()
        cluster = torch.searchsorted(level.offsets.to(layer.device), rows, right=True) - 1
        own = centroids.gather(1, cluster.unsqueeze(-1).expand(-1, -1, centroids.shape[2]))
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        codes = own + few_bits(keys.float() - own, self.bits)
        return centroids.to(keys.dtype), codes.to(keys.dtype)


def few_bits(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Values ``[H, M, D]`` about zero as they come back from so many bits; a step a channel."""
    spread = values.square().mean(dim=1, keepdim=True).sqrt()
    step = (STEPS[bits] * spread).clamp(min=torch.finfo(torch.float32).tiny)
    most = 2 ** (bits - 1) - 0.5
    return ((values / step - 0.5).round() + 0.5).clamp(-most, most) * step


@dataclass(frozen=True)
class SqueezedBestSelector:
    """The lookup on one layer.

    Attributes:
        centroids: ``[H, C, D]`` and codes: ``[H, M, D]``, decoded.
    """

    method: SqueezedBest
    rule: Rule
    centroids: torch.Tensor
    codes: torch.Tensor
    backend: str

    @property
    def block(self) -> int | None:
        return self.rule.block

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer, level = self.rule.layer, self.rule.layer.levels[-1]
        first = self.method.lookup_floor(layer)
        cost = self.method.code_cost(layer)
        rows = self.rule.size.rows(layer, first)
        if (
            self.rule.size.sparsity is None
        ):  # of what is left, the codes of the shortlist take a part
            rows = rows / (1 + self.method.shortlist * cost)
        scores = self._scores(query, valid, self.centroids, level.counts, None)
        near = top_rows(scores, level.counts, self.method.shortlist * rows)
        listed = children(near, level.offsets, total=layer.clustered, backend=self.backend)
        read = first + listed.sum(-1, dtype=torch.float32) * cost
        ones = torch.ones(self.codes.shape[:2], dtype=torch.int32, device=self.codes.device)
        by_code = self._scores(query, valid, self.codes, ones, listed)
        keep = top_rows(by_code, ones, self.rule.size.rows(layer, read))
        return Selection(keep & listed, None, read, self.block)

    def _scores(
        self,
        query: torch.Tensor,
        valid: torch.Tensor | None,
        keys: torch.Tensor,
        counts: torch.Tensor,
        candidates: torch.Tensor | None,
    ) -> torch.Tensor:
        layer = self.rule.layer
        return lookup(
            query,
            keys,
            counts,
            layer.scale,
            softcap=layer.softcap,
            block=self.block,
            reduce=self.method.reduce,
            valid=valid,
            candidates=candidates,
            backend=self.backend,
        )
