"""TOVA (Oren et al., arXiv 2401.06104): the keys that the last token attends to."""

from dataclasses import dataclass

import torch

from squeezed.context.data import Context
from squeezed.context.window import window_weights
from squeezed.methods.scored import ScoredMethod


@dataclass(frozen=True)
class TOVA(ScoredMethod):
    """Weights of the last query, averaged over all heads of the layer: all its heads keep the same tokens.

    The paper drops one key at each step of decoding; here the choice is made once, at the end of the context.
    """

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        weights = window_weights(layer, 1, "TOVA")
        rows = torch.cat([each[:, 0].sum(0, keepdim=True) for each in weights])  # [H, M]
        query_heads = len(layer.queries) if layer.queries is not None else len(rows)
        by_place = layer.in_place_order(rows).sum(0, keepdim=True) / query_heads
        return by_place.expand(layer.heads, -1).gather(1, layer.positions.long())
