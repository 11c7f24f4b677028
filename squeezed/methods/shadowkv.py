"""ShadowKV (Sun et al., arXiv 2410.21465): chunks by their mean key, outliers always."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.grouped import Groups, GroupSelector, chunks_of, means_of
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.sketched import token_bytes
from squeezed.selection.selectors import Selector


@dataclass(frozen=True)
class ShadowKV(RuledMethod):
    """The selection of ShadowKV: landmarks are mean keys of chunks; outliers are kept and not looked up.

    An outlier chunk holds a key that is least like its chunk's mean. Scores are softmax weights over the
    landmarks, the largest of a KV head's query heads. Left out: keys from a low-rank copy (kept keys are
    exact here).

    Attributes:
        chunk: keys a chunk. outliers: chunks a head, however long the context (authors: 48); they count
            towards the size.

    Raises:
        ValueError: a number out of range, or a rule that has no calibration here.
    """

    calibrated: ClassVar[bool] = False

    rule: str = "topk"
    reduce: str = "max"
    chunk: int = 8
    outliers: int = 48

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk < 1:
            raise ValueError(f"chunk is {self.chunk}; expected at least 1 key")
        if self.outliers < 0:
            raise ValueError(f"outliers is {self.outliers}; expected 0 or more chunks")

    def landmarks(self, layer: LayerIndex) -> int:
        """Chunks that are looked up."""
        return max(1, -(-layer.clustered // self.chunk) - self.outliers)

    def lookup_floor(self, layer: LayerIndex) -> float:
        key = layer.keys.shape[2] * layer.keys.itemsize
        return self.landmarks(layer) * key / token_bytes(layer)

    def rows_always(self, layer: LayerIndex) -> int:
        chunks = -(-layer.clustered // self.chunk) - self.landmarks(layer)
        return min(chunks * self.chunk, layer.clustered)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        groups = context.derive(
            ("shadowkv", self.chunk, self.outliers, number), lambda: self._groups(layer)
        )
        read = self.lookup_floor(layer)
        return GroupSelector(Rule(self, size, layer, number), groups, read, backend)

    def _groups(self, layer: LayerIndex) -> Groups:
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        group_of_row, sizes = chunks_of(layer, self.chunk)
        means = means_of(keys, group_of_row, sizes.shape[1])
        hidden = outlier_chunks(keys, means, group_of_row, sizes.shape[1] - self.landmarks(layer))
        always = hidden.gather(1, group_of_row)
        return Groups(means.to(keys.dtype), sizes.masked_fill(hidden, 0), group_of_row, always)


def outlier_chunks(
    keys: torch.Tensor, means: torch.Tensor, group_of_row: torch.Tensor, count: int
) -> torch.Tensor:
    """The chunks with a key that is least like the chunk's mean, boolean ``[H, C]``.

    Args:
        keys: ``[H, M, D]``. means: ``[H, C, D]``. group_of_row: ``[H, M]``. count: chunks a head.
    """
    own = means.gather(1, group_of_row.unsqueeze(-1).expand(*keys.shape))
    cosine = functional.cosine_similarity(keys.float(), own, dim=-1)
    least = torch.full(means.shape[:2], torch.inf, device=keys.device)
    least = least.scatter_reduce(1, group_of_row, cosine, "amin")
    chosen = least.argsort(dim=1, stable=True)[:, :count]
    return torch.zeros_like(least, dtype=torch.bool).scatter(1, chosen, True)
