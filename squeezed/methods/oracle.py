"""The oracle: exact scores of every single key, the paper's ideal of what a lookup could find."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.methods.base import RuledMethod, Selection


@dataclass(frozen=True)
class Oracle(RuledMethod):
    """Every key is its own group and scores its exact attention weight.

    An upper bound, not a method: knowing the scores means reading all keys. Its KV budget counts only the
    rows it attends, as if the scores came for free.

    Attributes:
        rule: ``topk`` - the same share for every head; ``threshold`` - the context's calibrated threshold.
    """

    rule: str = "topk"

    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        sparsity = self.solve_sparsity(layer, 0)
        keys = layer.keys[:, : layer.clustered]
        counts = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
        log_scores = lookup(query, keys, counts, layer.scale)
        keep = self.keep(log_scores, counts, sparsity, curve)
        return Selection(keep, None)
