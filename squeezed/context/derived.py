"""What methods derive from a context's keys and values, once for all caches."""

import torch

from squeezed.clustering import segment_means
from squeezed.context.data import Context


def mean_values(context: Context, number: int) -> tuple[torch.Tensor, ...]:
    """Mean value of each cluster of a layer, ``[H, C, D]`` for each level."""
    layer = context.layers[number]

    def build() -> tuple[torch.Tensor, ...]:
        values = layer.values[:, : layer.clustered].to(layer.device)
        return tuple(
            segment_means(values, level.counts.long()).to(level.centroids.dtype)
            for level in layer.levels
        )

    return context.derive(("mean values", number), build)
