"""ClusterKV (Liu et al., arXiv 2412.03213): clusters by their centroid, the last of them cut to fit."""

from dataclasses import dataclass

from squeezed.context.data import Context
from squeezed.methods.clusters import ClusterMethod
from squeezed.methods.grouped import Groups, GroupSelector
from squeezed.methods.ruled import Rule


@dataclass(frozen=True)
class ClusterKV(ClusterMethod):
    """Clusters in the order of their centroids' scores until the size is met to the key.

    Clusters are the index's: cosine K-means, as the authors'. Give it one for 80 keys: ``levels=[0.0125]``.
    """

    sinks: int = 16

    def over(self, rule: Rule, groups: Groups, context: Context, backend: str) -> GroupSelector:
        return GroupSelector(rule, groups, self.lookup_floor(rule.layer), backend)
