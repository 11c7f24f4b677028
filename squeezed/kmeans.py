"""Moved: see ``squeezed.clustering``."""

from squeezed.clustering import (
    Clustering,
    Hierarchy,
    cluster_levels,
    cluster_statistics,
    segment_means,
    spherical_kmeans,
)

__all__ = [
    "Clustering",
    "Hierarchy",
    "cluster_levels",
    "cluster_statistics",
    "segment_means",
    "spherical_kmeans",
]
