"""Squeezed Attention (Hooper et al., arXiv 2411.09688): score centroids, keep important clusters."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.methods.base import BudgetedMethod, Selection, require_rule
from squeezed.selection import above_threshold, top_share


@dataclass(frozen=True)
class Squeezed(BudgetedMethod):
    """K-means clusters, softmax scores of their centroids.

    Attributes:
        rule: ``threshold`` - the paper's one global threshold for the whole model, so heads and layers get
            unequal shares; ``topk`` - the same share for every head.
    """

    rule: str = "threshold"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_rule(self.rule, ("threshold", "topk"))

    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        level = layer.levels[-1]
        centroids = level.centroids.shape[1]
        sparsity = self.solve_sparsity(layer, centroids)
        counts = level.counts
        log_scores = lookup(query, level.centroids, counts, layer.scale)
        if self.rule == "threshold":
            keep = above_threshold(log_scores, curve.threshold(sparsity))
        else:
            keep = top_share(log_scores, counts, sparsity)
        return Selection(keep, level.offsets, centroids)
