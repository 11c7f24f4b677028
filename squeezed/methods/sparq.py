"""SparQ (Ribar et al., arXiv 2312.04985): the channels in which the query is large."""

from dataclasses import dataclass

import torch

from squeezed.index.layer import LayerIndex
from squeezed.methods.sketched import RankedSketch, Sketch


@dataclass(frozen=True)
class SparQ(RankedSketch):
    """Logits from the ``rank`` channels with the largest ``|q|``, chosen anew for the queries of every block.

    ``|q|`` is summed over the query heads of a KV head (and the block's tokens); logits are scaled as if the
    other channels were like these. Reads these channels of all keys from a second, transposed copy.
    Deviation: the mean value that the authors mix into the output for what was dropped is left out.

    Attributes:
        rank: channels; ``None``: a quarter of the head size.

    Raises:
        ValueError: below 1.
    """

    def sketch(self, layer: LayerIndex) -> Sketch:
        count = self.numbers(layer)

        def largest(
            query: torch.Tensor, valid: torch.Tensor | None, block: int | None
        ) -> torch.Tensor:
            seen = query if valid is None else query * valid[:, None, :, None]
            return on_largest(query, seen, layer.heads, count, block)

        return Sketch(layer.keys[:, : layer.clustered].to(layer.device), largest)


def on_largest(
    query: torch.Tensor, seen: torch.Tensor, heads: int, count: int, block: int | None
) -> torch.Tensor:
    """The query with all but its largest channels set to 0, and made up for them.

    Logits with scale ``1 / sqrt(D)`` get the scale ``1 / sqrt(D r)`` with r the kept share of ``|q|``: the
    query is divided by ``sqrt(r)``.

    Args:
        query: ``[B, Hq, L, D]``. seen: the same, 0 for padding. heads: H. count: channels that are kept.
        block: query tokens that share them; ``None``: all.
    """
    size = block or query.shape[2]
    sizes = seen.float().abs().unflatten(1, (heads, -1)).unflatten(3, (-1, size))  # [B,H,G,T,s,D]
    best = sizes.sum((2, 4)).argsort(dim=-1, descending=True, stable=True)[..., :count]
    mask = torch.zeros_like(
        best[..., :1].expand(*best.shape[:-1], query.shape[3]), dtype=torch.bool
    )
    mask = mask.scatter(-1, best, True)  # [B, H, T, D]
    group = query.shape[1] // heads
    by_query = mask.repeat_interleave(group, 1).repeat_interleave(size, 2)
    kept = query.float() * by_query
    share = kept.abs().sum(-1, keepdim=True) / query.float().abs().sum(-1, keepdim=True).clamp(
        min=1e-30
    )
    return kept / share.clamp(min=1e-30).sqrt()
