"""Offline step 2: one layer's keys clustered, and keys and values brought into cluster order."""

from dataclasses import replace

import torch
from squeezed_kernels import centroid_dtype, take_rows

from squeezed.clustering import cluster_levels, segment_means
from squeezed.index.layer import (
    LayerIndex,
    Level,
    cluster_counts,
    in_cluster_order,
    position_dtype,
)
from squeezed.index.side_by_side import side_by_side, workers_for
from squeezed.index.spread import spreads
from squeezed.model.states import LayerStates
from squeezed.model.statistics import STATISTICS


def build_layers(
    states: list[LayerStates],
    levels: tuple[float, ...],
    window: int,
    seed: int,
    *,
    strategy: str = "bottom-up",
    balance: float | None = None,
) -> tuple[LayerIndex, ...]:
    """The layers' indexes, as of ``build_layer``. Takes the states out of the list one by one.

    Keys and values in cluster order are copies: all layers' at once would take twice the memory. On a
    processor one layer in eight is worked on at a time, at least one, the last ones first.
    """

    def build(each: LayerStates) -> LayerIndex:
        return build_layer(each, levels, window, seed, strategy=strategy, balance=balance)

    workers = workers_for(len(states), states[0].keys.device) if states else 1
    return side_by_side(build, states, workers)


def build_layer(
    states: LayerStates,
    levels: tuple[float, ...],
    window: int,
    seed: int,
    *,
    strategy: str = "bottom-up",
    balance: float | None = None,
) -> LayerIndex:
    """Clusters one layer's keys and stores keys and values in cluster order.

    Args:
        states: of the dense prefill. levels: clusters as a share of the clustered keys, coarse to fine.
        window: W. seed: of the clustering.
        strategy: ``bottom-up`` (paper: the finest level first) or ``top-down`` (inside each coarse cluster).
        balance: largest size of a cluster as a multiple of the mean; ``None``: free.
    """
    clustered = states.keys.shape[1] - window
    keys = states.keys[:, :clustered]
    hierarchy = cluster_levels(keys, levels, seed, strategy=strategy, balance=balance)
    order = hierarchy.order
    table = in_cluster_order(states.keys, order)
    del keys
    states = replace(states, keys=table)  # the keys in their first order are not needed any more
    built = build_levels(table[:, :clustered], hierarchy.offsets)
    return LayerIndex(
        keys=table,
        values=in_cluster_order(states.values, order),
        positions=order.to(position_dtype(states.keys.shape[1])),
        levels=with_spreads(built, table[:, :clustered], states),
        window=window,
        scale=states.scale,
        softcap=states.softcap,
        queries=states.queries,
        statistics={
            name: _of_clustered(found, order) if STATISTICS[name].by_key else found
            for name, found in states.statistics.items()
        },
    )


def _of_clustered(found: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """A statistic of every key, ``[H, N]`` or ``[H, N, D]``, of those that ``order`` ``[H, M]`` lists."""
    return found.gather(1, order) if found.ndim == 2 else take_rows(found, order)


def build_levels(keys: torch.Tensor, offsets: tuple[torch.Tensor, ...]) -> tuple[Level, ...]:
    """Centroids of every level: the mean of all keys below a cluster, so large finer clusters weigh more.

    Args:
        keys: ``[H, M, D]`` in cluster order. offsets: of each level, coarse to fine.
    """
    counts = cluster_counts(offsets)
    dtype = centroid_dtype(keys.dtype)
    return tuple(
        Level(segment_means(keys, count.long()).to(dtype), offset, count)
        for offset, count in zip(offsets, counts, strict=True)
    )


def with_spreads(
    levels: tuple[Level, ...], keys: torch.Tensor, states: LayerStates
) -> tuple[Level, ...]:
    """The levels, coarse to fine, with the spread of all but the finest; ``keys`` are ``[H, M, D]``."""
    *coarse, finest = levels
    found = [
        spreads(keys, states.queries, each.centroids, each.counts, states.scale, states.softcap)
        for each in coarse
    ]
    return (*(replace(each, spread=s) for each, s in zip(coarse, found, strict=True)), finest)
