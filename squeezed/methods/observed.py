"""Observed attention: the keys that got most attention from the queries that could see them."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.methods.base import statistic
from squeezed.methods.scored import ScoredMethod
from squeezed.model.statistics import RECEIVED_ATTENTION


@dataclass(frozen=True)
class ObservedAttention(ScoredMethod):
    """Mean attention that a key received in the prefill: the sum over the number of queries behind it.

    H2O sums without the division, which favours early keys, and keeps recent ones beside.
    """

    needs: ClassVar[tuple[str, ...]] = (RECEIVED_ATTENTION,)

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        received = statistic(layer, RECEIVED_ATTENTION, "ObservedAttention")
        return received / (layer.tokens - layer.positions)
