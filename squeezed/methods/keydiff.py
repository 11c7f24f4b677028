"""KeyDiff (Park et al., arXiv 2504.15364): the keys that are least like the mean key."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.methods.scored import ScoredMethod


@dataclass(frozen=True)
class KeyDiff(ScoredMethod):
    """A static choice by the keys alone: the cosine with the mean of the unit keys, the smaller the better.

    All keys of the context count for the mean, the observation window's too. The paper drops keys block by
    block while it prefills; here the context is whole, and they are chosen once.
    """

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        unit = functional.normalize(layer.keys.float(), dim=-1)
        mean = functional.normalize(unit.mean(1, keepdim=True), dim=-1)
        return -(unit[:, : layer.clustered] * mean).sum(-1).to(layer.device)
