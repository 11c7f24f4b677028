"""Knorm (Devoto et al., arXiv 2406.11430): the keys with the smallest norm."""

from dataclasses import dataclass

import torch

from squeezed.context.data import Context
from squeezed.methods.scored import ScoredMethod


@dataclass(frozen=True)
class Knorm(ScoredMethod):
    """A static choice by the keys alone: a key with a small L2 norm tends to get much attention.

    Norms are those after RoPE, in float32: in 16 bits many would be equal. The authors leave the first two
    layers whole (``dense_layers=2``); here none is by default.
    """

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        return -layer.keys[:, : layer.clustered].float().norm(dim=-1).to(layer.device)
