"""This suite's own setting: centroids say what keys have in common, a code of each key says the rest.

A centroid hides the one key of its cluster that a query looks for. What a centroid leaves out of each key,
the residual, has little variance, and queries look at few of its directions; one bit an entry, spent there,
ranks single keys almost as their exact logits do. Coded residuals under a coarse quantiser are common in
nearest-neighbour search (Jegou et al., 2011, section IV), and A2ATS (arXiv 2502.12665) fits its vector
quantiser to the queries as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.window import window_queries
from squeezed.index.layer import LayerIndex
from squeezed.methods.coded import CodedKeys
from squeezed.methods.sketched import SketchedMethod, quantised
from squeezed.methods.transform_code import coded

SCALE_BYTES = 4  # zero point and step of a centroid, 16 bits each
BASES = ("centroid", "mean")
WEIGHTS = ("queries", "equal")


@dataclass(frozen=True)
class SqueezedBest(SketchedMethod):
    """Single keys, ranked by centroid and coded residual.

    The lookup reads every centroid of the finest level, the code of every key, and the matrix that turns
    queries into the basis of the codes; all of it counts.

    Attributes:
        bits: of an entry of a code, on average over the entries of a key; the whole code is rounded to bits.
        centroid_bits: of an entry of a centroid.
        base: what is subtracted from a key before it is coded: its ``centroid``, or the ``mean`` of all keys.
        weights: what an error of a code is measured by: the window's ``queries``, or all directions
            ``equal``. Both settings are there to show what each part gains.

    Raises:
        ValueError: a number out of range, an unknown name, or a rule other than ``topk`` and ``topp``.
    """

    clustered: ClassVar[bool] = True

    bits: float = 1.0
    centroid_bits: int = 8
    base: str = "centroid"
    weights: str = "queries"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.bits <= 8:
            raise ValueError(f"bits is {self.bits}; expected more than 0 and at most 8")
        if not 1 <= self.centroid_bits <= 8:
            raise ValueError(f"centroid_bits is {self.centroid_bits}; expected 1 to 8")
        for name, known in (("base", BASES), ("weights", WEIGHTS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )

    def code_bits(self, layer: LayerIndex) -> int:
        """Bits of a key's code, at least one."""
        return max(1, round(self.bits * layer.keys.shape[2]))

    def sketch_bytes(self, layer: LayerIndex) -> float:
        size = layer.keys.shape[2]
        centroid = size * self.centroid_bits / 8 + SCALE_BYTES
        bases = layer.levels[-1].clusters if self.base == "centroid" else 1
        turned = size * (size * 2 + SCALE_BYTES)  # the matrix, and the step of each component
        return layer.clustered * self.code_bits(layer) / 8 + bases * centroid + turned

    def sketch(self, layer: LayerIndex) -> CodedKeys:
        """The keys as centroid and code.

        Raises:
            ValueError: the context kept no window queries.
        """
        queries: torch.Tensor | Sequence[None] = [None] * layer.heads
        if self.weights == "queries":
            queries = window_queries(layer, "SqueezedBest weighs by").flatten(1, 2).to(layer.device)
        bases, offsets = self._bases(layer)
        found = []
        for head, own in enumerate(bases):
            keys = layer.keys[head, : layer.clustered].to(layer.device).float()
            rest = keys - own.repeat_interleave(offsets[head].diff(), 0)
            found.append(coded(rest, queries[head], self.code_bits(layer)))
        # What a code of no bit stands for is the same for all keys.
        starts = torch.stack([each.start for each in found])[:, None]
        return CodedKeys(
            bases + starts,
            offsets,
            torch.stack([each.bytes for each in found]),
            torch.stack([each.map for each in found]),
        )

    def _bases(self, layer: LayerIndex) -> tuple[torch.Tensor, torch.Tensor]:
        """What is subtracted from the keys of each group, float32 ``[H, C, D]``, and their ``offsets``."""
        if self.base == "mean":
            keys = layer.keys[:, : layer.clustered].to(layer.device).float()
            ends = torch.tensor([[0, layer.clustered]], dtype=torch.int32, device=layer.device)
            mean = quantised(keys.mean(1, keepdim=True), self.centroid_bits, 2)
            return mean, ends.expand(layer.heads, 2).contiguous()
        level = layer.levels[-1]
        centroids = quantised(level.centroids.to(layer.device), self.centroid_bits, 2)
        return centroids, level.offsets.to(layer.device)
