"""InfLLM (Xiao et al., arXiv 2402.04617): blocks by a few keys that speak for them, one choice a layer."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size, statistic
from squeezed.methods.grouped import Groups, GroupSelector, chunks_of
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.sketched import token_bytes
from squeezed.model.statistics import RECEIVED_ATTENTION
from squeezed.selection.selectors import Selector


@dataclass(frozen=True)
class InfLLM(RuledMethod):
    """The selection of InfLLM: a block is looked up by the mean of the keys that got most attention in it.

    All heads of a layer keep the same blocks, by the mean of their softmax weights. Only the selection is
    InfLLM's: there the prefill is sparse too, attention counts from near queries only, and kept keys lose
    their distance; here keys are those of a dense prefill.

    Attributes:
        page: keys a block (authors: 128). speakers: keys that speak for it. sinks: first tokens that are
            always kept; they count towards the size.

    Raises:
        ValueError: a number out of range, or a rule that has no calibration here; at ``bind``: the context
            was prepared without the statistic.
    """

    calibrated: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = (RECEIVED_ATTENTION,)

    rule: str = "topk"
    page: int = 128
    speakers: int = 4
    sinks: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("page", "speakers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1 key")
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")

    def lookup_floor(self, layer: LayerIndex) -> float:
        key = layer.keys.shape[2] * layer.keys.itemsize
        return -(-layer.clustered // self.page) * key / token_bytes(layer)

    def rows_always(self, layer: LayerIndex) -> int:
        return min(self.sinks, layer.clustered)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        key = ("infllm", self.page, self.speakers, number)
        vectors, sizes, block_of_row = context.derive(key, lambda: self._blocks(layer))
        always = layer.among_first(self.sinks)
        read = self.lookup_floor(layer)
        groups = Groups(vectors, sizes, block_of_row, always)
        return GroupSelector(Rule(self, size, layer, number), groups, read, backend, shared=True)

    def _blocks(self, layer: LayerIndex) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        keys = layer.in_place_order(layer.keys[:, : layer.clustered].to(layer.device))
        received = layer.in_place_order(statistic(layer, RECEIVED_ATTENTION, "InfLLM"))
        block_of_row, sizes = chunks_of(layer, self.page)
        return speaking_keys(keys, received, self.page, self.speakers), sizes, block_of_row


def speaking_keys(
    keys: torch.Tensor, received: torch.Tensor, page: int, speakers: int
) -> torch.Tensor:
    """Mean of each block's keys with most attention, ``[H, C, D]``; in the order of the context.

    Args:
        keys: ``[H, M, D]``. received: ``[H, M]``. page: keys a block. speakers: of them.
    """
    means = []
    for start in range(0, keys.shape[1], page):
        own, got = keys[:, start : start + page], received[:, start : start + page]
        best = got.argsort(dim=1, descending=True, stable=True)[:, :speakers]
        chosen = own.gather(1, best.unsqueeze(-1).expand(-1, -1, own.shape[2]))
        means.append(chosen.float().mean(1))
    return torch.stack(means, dim=1).to(keys.dtype)
