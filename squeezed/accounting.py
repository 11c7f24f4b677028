"""The measured KV budget: bytes of the fixed context that were read, over the bytes of its keys and values.

Read are the kept rows of keys and values, the window's, and every centroid row that was scored. Averaged over
layers, heads and steps; a step is one forward pass (the user input, then each generated token).
"""

from dataclasses import dataclass, field

import torch


@dataclass
class LayerReads:
    """What one layer read, a step an entry; each tensor is ``[B, H]``, a share of the full K and V bytes.

    Tensors stay on the device, so that counting does not wait for it.
    """

    steps: list[torch.Tensor] = field(default_factory=list)

    def add(self, rows: torch.Tensor, centroids: int, tokens: int) -> None:
        """One step: ``rows`` ``[B, H]`` rows of keys and of values, ``centroids`` rows of centroids, of
        ``tokens`` fixed tokens. A centroid row is half as long as a key and a value together."""
        self.steps.append((rows.float() + centroids / 2) / tokens)


@dataclass(frozen=True)
class GenerationStats:
    """Measurements of one generation.

    Attributes:
        kv_budget: measured KV budget, 1.0 = all of K and V at every step.
        budget_per_layer: the same, by layer.
        prefill_ms: time of the user input's forward pass. decode_ms_per_token: mean over the generated tokens
            after the first; NaN if there are none.
    """

    kv_budget: float
    budget_per_layer: tuple[float, ...]
    prefill_ms: float
    decode_ms_per_token: float


def mean_budget(reads: list[LayerReads]) -> tuple[float, tuple[float, ...]]:
    """KV budget over all layers, and by layer; NaN before the first step."""
    per_layer = tuple(
        torch.stack(layer.steps).mean().item() if layer.steps else float("nan") for layer in reads
    )
    return sum(per_layer) / len(per_layer), per_layer
