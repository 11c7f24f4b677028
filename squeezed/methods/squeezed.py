"""Squeezed Attention (Hooper et al., arXiv 2411.09688): score centroids, keep important clusters."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.methods.base import RuledMethod, Selection


@dataclass(frozen=True)
class Squeezed(RuledMethod):
    """K-means clusters, softmax scores of their centroids; selected by ``rule`` (see ``RuledMethod``)."""

    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        level = layer.levels[-1]
        centroids = level.centroids.shape[1]
        sparsity = self.solve_sparsity(layer, centroids)
        counts = level.counts
        log_scores = lookup(query, level.centroids, counts, layer.scale)
        keep = self.keep(log_scores, counts, sparsity, curve)
        return Selection(keep, level.offsets, centroids)
