"""RetroInfer (Chen et al., arXiv 2505.02922): best clusters exactly, the next by their means."""

from dataclasses import dataclass

from squeezed.context.data import Context
from squeezed.context.derived import mean_values
from squeezed.index.layer import LayerIndex
from squeezed.methods.clusters import ClusterMethod
from squeezed.methods.grouped import Groups, GroupSelector
from squeezed.methods.ruled import Rule


@dataclass(frozen=True)
class RetroInfer(ClusterMethod):
    """Three zones: clusters that are attended, clusters that are estimated, clusters that are absent.

    An estimated cluster of n keys is n times the exponential of its centroid's logit in the denominator, and
    that times its mean value in the numerator. Its mean value is read beside the centroid, and counted.
    Clusters are the index's (the authors centre the keys first, and cluster in segments of 8K); give it one
    for 16 keys: ``levels=[0.0625]``. The size decides the first zone.

    Attributes:
        estimated: clusters of the second zone, as a share of all.

    Raises:
        ValueError: a share outside [0, 1], or as for ``ClusterMethod``.
    """

    sinks: int = 4
    estimated: float = 0.232

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.estimated <= 1:
            raise ValueError(f"estimated is {self.estimated}; expected a share in [0, 1]")

    def lookup_floor(self, layer: LayerIndex) -> float:
        estimated = round(self.estimated * layer.levels[-1].clusters) * layer.lookup_cost
        return super().lookup_floor(layer) + estimated

    def over(self, rule: Rule, groups: Groups, context: Context, backend: str) -> GroupSelector:
        centroids = rule.layer.levels[-1].centroids
        return GroupSelector(
            rule,
            groups,
            super().lookup_floor(rule.layer),
            backend,
            estimated=self.estimated,
            stand_ins=(centroids, mean_values(context, rule.number)[-1]),
            stand_in_cost=rule.layer.lookup_cost,
        )
