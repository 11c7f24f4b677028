"""The oracle: exact scores of every single key, the paper's ideal of what a lookup could find."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.methods.base import BudgetedMethod, Selection, require_rule
from squeezed.selection import above_threshold, top_share


@dataclass(frozen=True)
class Oracle(BudgetedMethod):
    """Every key is its own group and scores its exact attention weight.

    An upper bound, not a method: knowing the scores means reading all keys. Its KV budget counts only the
    rows it attends, as if the scores came for free.

    Attributes:
        rule: ``topk`` - the same share for every head; ``threshold`` - the context's calibrated threshold.
    """

    rule: str = "topk"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_rule(self.rule, ("threshold", "topk"))

    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        sparsity = self.solve_sparsity(layer, 0)
        keys = layer.keys[:, : layer.clustered]
        counts = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
        log_scores = lookup(query, keys, counts, layer.scale)
        if self.rule == "threshold":
            keep = above_threshold(log_scores, curve.threshold(sparsity))
        else:
            keep = top_share(log_scores, counts, sparsity)
        return Selection(keep, None)
