"""Multipole Attention (Hooper et al., arXiv 2506.13059): near clusters exactly, all others by their means."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import centroid_dtype

from squeezed.clustering import euclidean_kmeans, nearest
from squeezed.clustering.partition import label_counts
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size, statistic
from squeezed.methods.grouped import Groups, GroupSelector, means_of
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.sketched import token_bytes
from squeezed.model.statistics import TURNED_KEYS
from squeezed.selection.selectors import Selector

BLOCK = 8192  # keys that are clustered together; the last ones of a context are 4,096 to 12,287


@dataclass(frozen=True)
class Multipole(RuledMethod):
    """Clusters of keys that are all turned to one position, so that place does not part what says the same.

    Whole clusters are attended, best first, as long as they fit. Every other cluster of n keys is n times the
    exponential of its centroid's logit in the softmax, with its mean value. Centroids are of the turned keys,
    here 2,048 positions before the context's end; the query stays as it is. All centroids are read, and the
    mean values of the clusters that are not attended.

    Attributes:
        rule: ``topk``, or ``topp`` with an explicit ``top_p``; there is no calibration.
        clusters: as a share of the keys. iterations: of K-means (Euclidean). seed: of its start.
        sinks: first tokens that are always kept and belong to no cluster; they count towards the size.

    Raises:
        ValueError: another rule, or a number out of range; at ``bind``: the context was prepared without the
            turned keys.
    """

    calibrated: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = (TURNED_KEYS,)

    rule: str = "topk"
    clusters: float = 0.0625
    sinks: int = 10
    iterations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.clusters <= 1:
            raise ValueError(f"clusters is {self.clusters}; expected a share in (0, 1]")
        for name in ("sinks", "iterations"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")

    def lookup_floor(self, layer: LayerIndex) -> float:
        """All centroids, and as if all clusters were represented."""
        return 2 * self._count(layer) * row_tokens(layer)

    def _count(self, layer: LayerIndex) -> int:
        """Clusters a head."""
        coded = max(0, layer.clustered - self.sinks)
        return sum(max(1, round(self.clusters * size)) for size in block_sizes(coded))

    def rows_always(self, layer: LayerIndex) -> int:
        return min(self.sinks, layer.clustered)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        always = layer.among_first(self.sinks)
        key = ("multipole", self.clusters, self.sinks, self.iterations, self.seed, number)
        groups, values = context.derive(key, lambda: self._clustered(layer, always))
        cost = row_tokens(layer)
        return GroupSelector(
            Rule(self, size, layer, number),
            groups,
            self._count(layer) * cost,
            backend,
            weighed=True,
            estimated=1.0,
            stand_ins=(groups.vectors, values),
            stand_in_cost=cost,
            whole=True,
        )

    def _clustered(self, layer: LayerIndex, always: torch.Tensor) -> tuple[Groups, torch.Tensor]:
        """The clusters, of which the last holds what belongs to none, and their mean values."""
        keys = statistic(layer, TURNED_KEYS, type(self).__name__)  # [H, M, D]
        values = layer.values[:, : layer.clustered].to(layer.device)
        count = self._count(layer)
        by_place = torch.full_like(layer.positions, count, dtype=torch.int64)
        for head, points in enumerate(layer.in_place_order(keys).float()):
            place, first = min(self.sinks, layer.clustered), 0
            for number in block_sizes(layer.clustered - place):
                own = points[place : place + number]
                wanted = max(1, round(self.clusters * number))
                centroids = euclidean_kmeans(own, wanted, self.iterations, self.seed)
                by_place[head, place : place + number] = first + nearest(own, centroids)
                place, first = place + number, first + wanted
        group_of_row = by_place.gather(1, layer.positions.long())
        sizes = label_counts(group_of_row, count + 1).int()
        sizes[:, count] = 0
        vectors, means = (
            means_of(each, group_of_row, count + 1).to(centroid_dtype(layer.keys.dtype))
            for each in (keys, values)
        )
        return Groups(vectors, sizes, group_of_row, always), means


def block_sizes(keys: int) -> list[int]:
    """Keys of each block of neighbours that is clustered for itself: 8,192, the last one the rest."""
    if keys == 0:
        return []
    count = max(1, round(keys / BLOCK))
    return [BLOCK] * (count - 1) + [keys - BLOCK * (count - 1)]


def row_tokens(layer: LayerIndex) -> float:
    """What a centroid reads, or a mean value, in tokens."""
    return layer.keys.shape[2] * centroid_dtype(layer.keys.dtype).itemsize / token_bytes(layer)
