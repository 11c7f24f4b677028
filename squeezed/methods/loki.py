"""Loki (Singhania et al., arXiv 2406.02542): keys in their first principal components."""

from dataclasses import dataclass

import torch

from squeezed.index.layer import LayerIndex
from squeezed.methods.sketched import Sketch, SketchedMethod


@dataclass(frozen=True)
class Loki(SketchedMethod):
    """Logits from the ``rank`` first principal components of the keys, for each KV head its own.

    The components are fitted to centred keys, and applied to keys as they are. The authors fit them to a
    sample of general text; here they are the context's own, which is an easier case.

    Attributes:
        rank: components; ``None``: a quarter of the head size.

    Raises:
        ValueError: below 1.
    """

    rank: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank is not None and self.rank < 1:
            raise ValueError(f"rank is {self.rank}; expected at least 1")

    def components(self, layer: LayerIndex) -> int:
        """Components that are in the sketch."""
        size = layer.keys.shape[2]
        return min(size, self.rank if self.rank is not None else max(1, size // 4))

    def sketch(self, layer: LayerIndex) -> Sketch:
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        centred = keys.float() - keys.float().mean(1, keepdim=True)
        _, vectors = torch.linalg.eigh(centred.transpose(1, 2) @ centred)  # smallest first
        axes = vectors.flip(2)[:, :, : self.components(layer)]  # [H, D, R]

        def turned(
            query: torch.Tensor, valid: torch.Tensor | None, block: int | None
        ) -> torch.Tensor:
            grouped = query.float().unflatten(1, (layer.heads, -1))
            return (grouped @ axes.to(query.device)[None, :, None]).flatten(1, 2)

        return Sketch((keys.float() @ axes).to(keys.dtype), turned)

    def sketch_bytes(self, layer: LayerIndex) -> float:
        return layer.clustered * self.components(layer) * layer.keys.itemsize
