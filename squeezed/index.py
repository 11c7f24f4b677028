"""Offline step 2: one layer's fixed context in cluster order, with the centroids that lead to it.

RoPE is applied to the keys already and every user token sees the whole fixed context, so attention does not
depend on the order of the fixed keys. They are permuted once: each cluster is a contiguous range of rows, and
no label per key exists when the context is used. The observation window stays in place as the last rows.

    rows     0 ................................. M | M ....... N
             cluster 0 | cluster 1 | ... | cluster C-1 | window
    offsets  0 ^       ^           ^                   ^ M
"""

import itertools
from dataclasses import dataclass

import torch

from squeezed.kmeans import segment_means, spherical_kmeans
from squeezed.prefill import LayerStates


@dataclass(frozen=True)
class Level:
    """One level of centroids.

    Attributes:
        centroids: mean of the un-normalised member keys, ``[H, C, D]`` in the keys' dtype.
        offsets: int32 ``[H, C + 1]``; cluster i covers rows ``offsets[i]`` to ``offsets[i + 1]``.
    """

    centroids: torch.Tensor
    offsets: torch.Tensor

    @property
    def counts(self) -> torch.Tensor:
        """Keys of each cluster, int32 ``[H, C]``."""
        return self.offsets.diff(dim=1)


@dataclass(frozen=True)
class LayerIndex:
    """One layer of a fixed context, ready to be attended.

    Attributes:
        keys, values: ``[H, N, D]``; M = N - W rows in cluster order, then the window.
        positions: int32 ``[H, M]``; place in the fixed context of each clustered row. Methods that choose by
            place (StreamingLLM) need it; attention does not.
        levels: centroids, coarse to fine. window: W. scale: softmax scale.
    """

    keys: torch.Tensor
    values: torch.Tensor
    positions: torch.Tensor
    levels: tuple[Level, ...]
    window: int
    scale: float

    @property
    def heads(self) -> int:
        """KV heads H."""
        return self.keys.shape[0]

    @property
    def tokens(self) -> int:
        """Fixed-context tokens N, window included."""
        return self.keys.shape[1]

    @property
    def clustered(self) -> int:
        """Clustered tokens M = N - W."""
        return self.tokens - self.window


def build_layer(
    states: LayerStates, levels: tuple[float, ...], window: int, seed: int
) -> LayerIndex:
    """Clusters one layer's keys and stores keys and values in cluster order.

    Args:
        states: of the dense prefill. levels: clusters as a share of the clustered keys, coarse to fine.
        window: W. seed: of the clustering.
    """
    clustered = states.keys.shape[1] - window
    keys = states.keys[:, :clustered]
    clusters = max(1, round(levels[-1] * clustered))
    clustering = spherical_kmeans(keys, clusters, seed)
    order = clustering.order
    rows = order.unsqueeze(-1).expand(-1, -1, keys.shape[-1])
    ordered_keys = keys.gather(1, rows)
    centroids = segment_means(ordered_keys, clustering.counts).to(keys.dtype)
    offsets = torch.nn.functional.pad(clustering.counts.cumsum(1), (1, 0)).int()
    return LayerIndex(
        keys=torch.cat([ordered_keys, states.keys[:, clustered:]], dim=1),
        values=torch.cat(
            [states.values[:, :clustered].gather(1, rows), states.values[:, clustered:]], dim=1
        ),
        positions=order.int(),
        levels=(Level(centroids, offsets),),
        window=window,
        scale=states.scale,
    )


def validate_levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Checks ``levels``: shares of the keys that become clusters, coarse to fine.

    Raises:
        ValueError: empty, not rising, outside (0, 1], or more than one level (not built yet).
    """
    levels = tuple(float(level) for level in levels)
    if not levels or any(not 0 < level <= 1 for level in levels):
        raise ValueError(f"levels is {levels}; expected shares of the keys in (0, 1], like (0.05,)")
    if any(coarse >= fine for coarse, fine in itertools.pairwise(levels)):
        raise ValueError(
            f"levels is {levels}; expected coarse to fine, each larger than the one before"
        )
    if len(levels) > 1:
        raise ValueError(
            f"levels is {levels}; a hierarchy of centroids is not available yet, use one level"
        )
    return levels
