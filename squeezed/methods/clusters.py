"""What methods share that look up the index's clusters in their own way."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.grouped import Groups, GroupSelector
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.selection.selectors import Selector


@dataclass(frozen=True)
class ClusterMethod(RuledMethod):
    """A lookup over the finest clusters of the index; the last cluster that is kept is cut to meet the size.

    Every cluster weighs one in the softmax, whatever its size.

    Attributes:
        rule: ``topk``, or ``topp`` with an explicit ``top_p``; there is no calibration.
        sinks: first tokens that are always kept, and count towards the size. They stay in their clusters.

    Raises:
        ValueError: another rule, or a negative number.
    """

    clustered: ClassVar[bool] = True
    calibrated: ClassVar[bool] = False

    rule: str = "topk"
    sinks: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")

    @abc.abstractmethod
    def over(self, rule: Rule, groups: Groups, context: Context, backend: str) -> GroupSelector:
        """The selector of a layer over its clusters."""

    def lookup_floor(self, layer: LayerIndex) -> float:
        return layer.levels[-1].clusters * layer.lookup_cost

    def rows_always(self, layer: LayerIndex) -> int:
        return min(self.sinks, layer.clustered)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        level = layer.levels[-1]

        def build() -> torch.Tensor:
            each = torch.arange(level.clusters, device=layer.device)
            return torch.stack([each.repeat_interleave(own.long()) for own in level.counts])

        group_of_row = context.derive(("cluster of row", number), build)
        always = layer.among_first(self.sinks)
        groups = Groups(level.centroids, level.counts, group_of_row, always)
        return self.over(Rule(self, size, layer, number), groups, context, backend)
