"""Double Sparsity (Yang et al., arXiv 2408.07092): a few channels of each key, in a few bits."""

from dataclasses import dataclass

import torch

from squeezed.context.window import window_queries
from squeezed.index.layer import LayerIndex
from squeezed.methods.sketched import Sketch, SketchedMethod, quantised

SCALE_BYTES = 4  # zero point and step of a key, 16 bits each


@dataclass(frozen=True)
class DoubleSparsity(SketchedMethod):
    """Logits from the channels where products of queries and keys are large, both in a few bits.

    Channels are chosen once for each KV head: those with the largest mean of ``|q| |k|`` at one position.
    The authors measure it on a sample of general text, for each query head; here it is the context's own
    observation window, for the query heads of a KV head together.

    Attributes:
        group_factor: head size over channels (paper: 2 for LongBench, with 4 bits). bits: of an entry.

    Raises:
        ValueError: a number out of range; at ``bind``: the context kept no window queries.
    """

    group_factor: int = 2
    bits: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group_factor < 1:
            raise ValueError(f"group_factor is {self.group_factor}; expected at least 1")
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits is {self.bits}; expected 1 to 8")

    def channels(self, layer: LayerIndex) -> int:
        """Channels of a key that are in the sketch."""
        return max(1, layer.keys.shape[2] // self.group_factor)

    def sketch(self, layer: LayerIndex) -> Sketch:
        queries = window_queries(layer, "DoubleSparsity chooses channels by").to(layer.device)
        best = outlier_channels(
            queries, layer.keys[:, layer.clustered :].to(layer.device), self.channels(layer)
        )
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        chosen = keys.gather(2, best[:, None].expand(-1, keys.shape[1], -1))

        def on_channels(
            query: torch.Tensor, valid: torch.Tensor | None, block: int | None
        ) -> torch.Tensor:
            # Not the window's group: layers that share keys bring their query heads together there.
            group = query.shape[1] // len(best)
            places = best.to(query.device).repeat_interleave(group, 0)[None, :, None]
            return quantised(query.gather(3, places.expand(*query.shape[:3], -1)), self.bits, 3)

        return Sketch(quantised(chosen, self.bits, 2).to(keys.dtype), on_channels)

    def sketch_bytes(self, layer: LayerIndex) -> float:
        return layer.clustered * (self.channels(layer) * self.bits / 8 + SCALE_BYTES)


def outlier_channels(queries: torch.Tensor, keys: torch.Tensor, count: int) -> torch.Tensor:
    """The channels with the largest mean of ``|q| |k|``, in ascending order, int64 ``[H, count]``.

    Args:
        queries: ``[H, G, W, D]``. keys: of the same positions, ``[H, W, D]``.
    """
    products = queries.float().abs().sum(1) * keys.float().abs()
    order = products.mean(1).argsort(dim=1, descending=True, stable=True)
    return order[:, :count].sort(1).values
