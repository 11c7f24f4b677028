"""Loki (Singhania et al., arXiv 2406.02542): keys in their first principal components."""

from dataclasses import dataclass

import torch

from squeezed.index.layer import LayerIndex
from squeezed.methods.sketched import RankedSketch, Sketch


@dataclass(frozen=True)
class Loki(RankedSketch):
    """Logits from the ``rank`` first principal components of the keys, for each KV head its own.

    The components are fitted to centred keys, and applied to keys as they are. The authors fit them to a
    sample of general text; here they are the context's own, which is an easier case.

    Attributes:
        rank: components; ``None``: a quarter of the head size.

    Raises:
        ValueError: below 1.
    """

    def sketch(self, layer: LayerIndex) -> Sketch:
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        centred = keys.float() - keys.float().mean(1, keepdim=True)
        _, vectors = torch.linalg.eigh(centred.transpose(1, 2) @ centred)  # smallest first
        axes = vectors.flip(2)[:, :, : self.numbers(layer)]  # [H, D, R]

        def turned(
            query: torch.Tensor, valid: torch.Tensor | None, block: int | None
        ) -> torch.Tensor:
            grouped = query.float().unflatten(1, (layer.heads, -1))
            return (grouped @ axes.to(query.device)[None, :, None]).flatten(1, 2)

        return Sketch((keys.float() @ axes).to(keys.dtype), turned)
