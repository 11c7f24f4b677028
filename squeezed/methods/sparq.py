"""SparQ (Ribar et al., arXiv 2312.04985): the channels in which the query is large."""

from dataclasses import dataclass, replace

import torch
from squeezed_kernels import capped
from torch.nn import functional

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.sketched import RankedSketch, Sketch, SketchSelector
from squeezed.selection.kept import Rest, Selection


@dataclass(frozen=True)
class SparQ(RankedSketch):
    """Logits from the ``rank`` channels with the largest ``|q|``, chosen anew for the queries of every block.

    ``|q|`` is summed over the query heads of a KV head (and the block's tokens); logits are scaled as if the
    other channels were like these. Reads these channels of all keys from a second, transposed copy.

    Attributes:
        rank: channels; ``None``: a quarter of the head size.
        mean_value: the mean of the context's values speaks for all keys that are dropped, with the share of
            the softmax that the estimated logits give them; it is read and counted. An option of the authors'
            code.

    Raises:
        ValueError: below 1.
    """

    mean_value: bool = False

    def sketch_bytes(self, layer: LayerIndex) -> float:
        mean = layer.values.shape[2] * layer.values.itemsize if self.mean_value else 0
        return super().sketch_bytes(layer) + mean

    def selector(self, context: Context, number: int, size: Size, backend: str) -> SketchSelector:
        found = super().selector(context, number, size, backend)
        if not self.mean_value:
            return found
        layer = context.layers[number]
        mean = context.derive(
            ("mean value", number), lambda: layer.values.float().mean(1).to(layer.device)
        )
        return MeanValueSelector(**vars(found), mean=mean)

    def sketch(self, layer: LayerIndex) -> Sketch:
        count = self.numbers(layer)

        def largest(
            query: torch.Tensor, valid: torch.Tensor | None, block: int | None
        ) -> torch.Tensor:
            seen = query if valid is None else query * valid[:, None, :, None]
            return on_largest(query, seen, layer.heads, count, block)

        return Sketch(layer.keys[:, : layer.clustered].to(layer.device), largest)


@dataclass(frozen=True)
class MeanValueSelector(SketchSelector):
    """The lookup whose dropped rows are represented; ``mean``: value that stands for them, ``[H, D]``."""

    sketch: Sketch
    mean: torch.Tensor

    def ranked(self, query: torch.Tensor) -> None:
        """Kept rows alone are not all that is attended to, so a token is not one call."""

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        found = super().select(query, valid)
        layer, length, logs = self.rule.layer, query.shape[2], []
        asked = self.sketch.query(query, valid, self.block)
        kept = found.keep.repeat_interleave(length // found.keep.shape[2], dim=2)
        kept = functional.pad(kept, (0, layer.window), value=True)  # [B, H, L, N]
        for head, own in enumerate(asked.unflatten(1, (layer.heads, -1)).unbind(1)):
            keys = layer.keys[head].to(query.device).float()
            logits = capped(layer.scale * own @ keys.T, layer.softcap)
            here = kept[:, head, None]
            dropped = logits.masked_fill(here, -torch.inf).logsumexp(-1)
            logs.append(dropped - logits.masked_fill(~here, -torch.inf).logsumexp(-1))
        return replace(found, rest=Rest(self.mean, torch.cat(logs, dim=1)))


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
