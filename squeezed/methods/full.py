"""Full attention through the engine: the reference every method is compared with."""

from dataclasses import dataclass

import torch

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.methods.base import Method, Selection


@dataclass(frozen=True)
class Full(Method):
    """Keeps every row."""

    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        return None
