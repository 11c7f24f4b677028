"""RocketKV (Behnam et al., arXiv 2502.14051): a choice once, then pages and channels for each query."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.methods.base import Size
from squeezed.methods.grouped import Groups, GroupSelector
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.methods.scored import kept_rows
from squeezed.methods.sketched import token_bytes
from squeezed.methods.snapkv import SnapKV
from squeezed.methods.sparq import on_largest
from squeezed.selection.selectors import Selector


@dataclass(frozen=True)
class Split:
    """How RocketKV divides a compression between its stages.

    Attributes:
        survivors: keys a head of the first stage. page: survivors a page. channels: that a lookup reads.
    """

    survivors: int
    page: int
    channels: int


def split_of(keys: int, tokens: float, size: int) -> Split:
    """The authors' division: half of a step's traffic for the lookup, half for keys.

    With ``c = keys / tokens`` the first stage compresses by ``c ** r``, ``r = min(0.2 + 0.06 log2 c, 0.8)``;
    what is left, ``c2``, goes to pages of ``ceil(sqrt(c2))`` keys, ``floor(size page / c2)`` channels.

    Args:
        keys: of a head. tokens: traffic of a step. size: head size.
    """
    ratio = max(1.0, keys / max(tokens, 1.0))
    share = min(0.2 + 0.06 * math.log2(ratio), 0.8)
    survivors = max(1, min(keys, round(keys / ratio**share)))
    rest = max(1.0, survivors / max(tokens, 1.0))
    page = math.ceil(math.sqrt(rest))
    return Split(survivors, page, max(1, min(size, int(size * page / rest))))


@dataclass(frozen=True)
class RocketKV(RuledMethod):
    """First SnapKV with a wide pooling; then, among the survivors, pages by the query's largest channels.

    A page is as many survivors, not places. Of a channel it has the smallest and the largest entry; the sign
    of the summed query of a KV head's query heads says which is read. Logits are scaled as SparQ's.

    Attributes:
        queries: of the window, for the first stage. kernel: of its pooling, odd.

    Raises:
        ValueError: a number out of range, or a rule that has no calibration here; at ``bind``: the context
            kept no window queries.
    """

    calibrated: ClassVar[bool] = False

    rule: str = "topk"
    queries: int = 32
    kernel: int = 63

    def __post_init__(self) -> None:
        super().__post_init__()
        self.first_stage()
        if self.rule != "topk":
            raise ValueError(f"rule is {self.rule!r}; RocketKV divides a size, so expected topk")

    def first_stage(self) -> SnapKV:
        """The method that chooses the survivors."""
        return SnapKV(sparsity=0.0, queries=self.queries, kernel=self.kernel)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        # Of a sparsity, the lookup comes on top; of tokens it is a part.
        kept = float(size.rows(layer, 0.0))
        tokens = kept if size.sparsity is None else 2 * kept
        split = split_of(layer.clustered, tokens, layer.keys.shape[2])
        groups = context.derive(
            ("rocketkv", self.queries, self.kernel, split, number),
            lambda: self._pages(context, number, split),
        )
        read = (
            (groups.sizes.shape[1] - 1) * split.channels * layer.keys.itemsize / token_bytes(layer)
        )

        def on_bounds(
            query: torch.Tensor, valid: torch.Tensor | None, block: int | None
        ) -> torch.Tensor:
            return by_sign(query, valid, layer.heads, split.channels, block)

        rule = Rule(self, size, layer, number)
        return GroupSelector(rule, groups, read, backend, weighed=True, query=on_bounds)

    def _pages(self, context: Context, number: int, split: Split) -> Groups:
        layer = context.layers[number]
        scores = self.first_stage().scores(context, number)
        counts = torch.full((layer.heads,), split.survivors, device=layer.device)
        survives = kept_rows(scores, counts, layer)
        by_place = layer.in_place_order(survives)
        pages = -(-split.survivors // split.page)
        page_of_place = ((by_place.long().cumsum(1) - 1) // split.page).clamp(min=0)
        # Rows that do not survive belong to a page that has no rows, and so no score.
        page_of_place = page_of_place.masked_fill(~by_place, pages)
        page_of_row = page_of_place.gather(1, layer.positions.long())
        keys = layer.keys[:, : layer.clustered].to(layer.device).float()
        places = page_of_row.unsqueeze(-1).expand_as(keys)
        shape = (layer.heads, pages + 1, keys.shape[2])
        high = torch.full(shape, -torch.inf, device=keys.device)
        high = high.scatter_reduce(1, places, keys, "amax")
        low = torch.full(shape, torch.inf, device=keys.device)
        low = low.scatter_reduce(1, places, keys, "amin")
        bounds = torch.cat([high, low], dim=-1).nan_to_num(posinf=0.0, neginf=0.0)
        bounds[:, pages] = 0.0
        sizes = torch.zeros(layer.heads, pages + 1, dtype=torch.int32, device=keys.device)
        sizes = sizes.scatter_add(1, page_of_row, torch.ones_like(page_of_row, dtype=torch.int32))
        sizes[:, pages] = 0
        nothing = torch.zeros_like(survives)
        return Groups(bounds.to(layer.keys.dtype), sizes, page_of_row, nothing)


def by_sign(
    query: torch.Tensor,
    valid: torch.Tensor | None,
    heads: int,
    channels: int,
    block: int | None,
) -> torch.Tensor:
    """The query against ``[largest, smallest]`` entries: in each of its largest channels the bound that the
    sign of the sum over the query heads (and the block's tokens) asks for.

    Args:
        query: ``[B, Hq, L, D]``. valid: ``[B, L]``. heads: H. channels: that are read. block: query tokens.

    Returns:
        ``[B, Hq, L, 2 D]``.
    """
    seen = query if valid is None else query * valid[:, None, :, None]
    kept = on_largest(query, seen, heads, channels, block)
    size = block or query.shape[2]
    sums = (
        seen.float().unflatten(1, (heads, -1)).unflatten(3, (-1, size)).sum((2, 4))
    )  # [B, H, T, D]
    upward = (sums >= 0).repeat_interleave(query.shape[1] // heads, 1).repeat_interleave(size, 2)
    return torch.cat([kept * upward, kept * ~upward], dim=-1)
