"""Offline step 3: the keys of a fixed context in clusters, and clusters of clusters."""

from squeezed.clustering.euclidean import euclidean_kmeans, nearest
from squeezed.clustering.hierarchy import (
    STRATEGIES,
    Hierarchy,
    check_levels,
    check_way,
    cluster_levels,
)
from squeezed.clustering.kmeans import VERSION, spherical_kmeans
from squeezed.clustering.partition import Clustering, segment_means
from squeezed.clustering.stats import ClusterStatistics, cluster_statistics

__all__ = [
    "STRATEGIES",
    "VERSION",
    "ClusterStatistics",
    "Clustering",
    "Hierarchy",
    "check_levels",
    "check_way",
    "cluster_levels",
    "cluster_statistics",
    "euclidean_kmeans",
    "nearest",
    "segment_means",
    "spherical_kmeans",
]
