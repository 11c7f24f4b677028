"""One layer's fixed context in cluster order, with the centroids that lead to it.

RoPE is applied to the keys already and every user token sees the whole fixed context, so attention does not
depend on the order of the fixed keys. They are permuted once: each finest cluster is a contiguous range of
rows, each coarser cluster a contiguous range of finer ones, and no label per key exists when the context is
used. The observation window stays in place as the last rows.

    level 0 (coarse)    0             |        1            |  2
    level 1 (fine)      0  |  1  | 2  |  3  |  4  |  5 | 6  |  7 | ... | C-1 |
    rows                0 .................................................. M | window ... N
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from squeezed_kernels import empty_table


@dataclass(frozen=True)
class Level:
    """One level of centroids.

    Attributes:
        centroids: mean of the un-normalised keys of each cluster, ``[H, C, D]``; bfloat16, or float16 for
            float16 keys.
        offsets: int32 ``[H, C + 1]``; cluster i covers ``offsets[i]`` to ``offsets[i + 1]`` of the next finer
            level's clusters, or of the rows at the finest level.
        counts: keys of each cluster, int32 ``[H, C]``; follows from the offsets of this and finer levels.
        spread: of each cluster of a coarser level (``squeezed.index.spread``), float32 ``[H, C]``; at the
            finest ``None``.
    """

    centroids: torch.Tensor
    offsets: torch.Tensor
    counts: torch.Tensor
    spread: torch.Tensor | None = None

    @property
    def clusters(self) -> int:
        """Clusters a head, C."""
        return self.centroids.shape[1]


@dataclass(frozen=True)
class LayerIndex:
    """One layer of a fixed context, ready to be attended.

    Attributes:
        keys, values: ``[H, N, D]``; M = N - W rows in cluster order, then the window. They may live on
            another device (host memory) than the rest.
        positions: ``[H, M]``; place in the fixed context of each clustered row, int16 where M fits into it,
            else int32. Methods that choose by place need it, attention not.
        levels: centroids, coarse to fine. window: W. scale: softmax scale.
        softcap: of the layer's logits, ``None`` for most models.
        queries: of the observation window, ``[Hq, W, D]``, for calibration and for methods that observe;
            ``None`` if they were not kept. Not read online.
        statistics: of the prefill, by name, those that were asked for (``squeezed.model.statistics``); what
            has a number for each key is here in cluster order, ``[H, M]``. Not read online.
    """

    keys: torch.Tensor
    values: torch.Tensor
    positions: torch.Tensor
    levels: tuple[Level, ...]
    window: int
    scale: float
    softcap: float | None = None
    queries: torch.Tensor | None = None
    statistics: Mapping[str, torch.Tensor] = field(default_factory=dict)

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

    @property
    def device(self) -> torch.device:
        """Where the layer's index lives and its selection is computed."""
        return self.positions.device

    @property
    def lookup_cost(self) -> float:
        """Bytes of a centroid row over the bytes of a token's key and value."""
        centroids = self.levels[-1].centroids
        return centroids.shape[2] * centroids.itemsize / self._token_bytes

    @property
    def spread_cost(self) -> float:
        """Bytes of a coarse cluster's spread over the bytes of a token's key and value."""
        return torch.float32.itemsize / self._token_bytes

    @property
    def _token_bytes(self) -> int:
        return sum(table.shape[2] * table.itemsize for table in (self.keys, self.values))

    def among_first(self, tokens: int) -> torch.Tensor:
        """Clustered rows that are among the first tokens of the context, boolean ``[H, M]``."""
        # Not the bare number: one that the positions' type cannot hold would wrap around.
        return self.positions < min(tokens, self.clustered)

    def in_place_order(self, rows: torch.Tensor) -> torch.Tensor:
        """Something per clustered row, ``[H, M, ...]``, in the order of the fixed context."""
        places = self.positions.long()
        places = places.view(*places.shape, *[1] * (rows.ndim - 2)).expand_as(rows)
        return torch.empty_like(rows).scatter(1, places, rows)

    def index_tensors(self) -> list[torch.Tensor]:
        """Everything that the lookup needs beyond keys and values."""
        levels = [
            t for level in self.levels for t in (level.centroids, level.offsets, level.spread)
        ]
        return [self.positions, *(t for t in levels if t is not None)]


def position_dtype(tokens: int) -> torch.dtype:
    """Of positions in a context of so many tokens: that number itself, to compare with, has to fit, too."""
    return torch.int16 if tokens < 1 << 15 else torch.int32


def in_cluster_order(rows: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Keys or values ``[H, N, D]`` with the first M rows of each head as ``order`` ``[H, M]`` lists them."""
    clustered = order.shape[1]
    table = empty_table(*rows.shape, dtype=rows.dtype, device=rows.device)
    for head, of_head in enumerate(order):  # into their place, without a copy between
        torch.index_select(rows[head], 0, of_head, out=table[head, :clustered])
    table[:, clustered:] = rows[:, clustered:]
    return table


def cluster_counts(offsets: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Keys of each cluster, int32 ``[H, C]`` a level, from the offsets of all levels, coarse to fine."""
    counts: list[torch.Tensor] = []
    bounds = offsets[-1]
    for offset in reversed(offsets):
        if counts:
            bounds = bounds.gather(1, offset.long())  # in finer clusters -> in rows
        counts.insert(0, bounds.diff(dim=1).int())
    return tuple(counts)


def singletons(layer: LayerIndex) -> LayerIndex:
    """The layer with every key as a cluster of its own."""
    keys = layer.keys[:, : layer.clustered].to(layer.device)
    ones = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
    offsets = torch.nn.functional.pad(ones.cumsum(1), (1, 0)).int()
    return replace(layer, levels=(Level(keys, offsets, ones),))
