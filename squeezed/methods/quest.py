"""Quest (Tang et al., arXiv 2406.10774): pages of consecutive keys, scored by an upper bound."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import lookup

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.selection.kept import Selection
from squeezed.selection.selectors import Selector


@dataclass(frozen=True)
class Quest(RuledMethod):
    """Groups are pages of keys that stand beside each other; no page can score above its bound.

    The bound of a page for a query is ``sum_d max(q_d * min_d, q_d * max_d)`` over the smallest and largest
    entries of its keys. With ``q+ = max(q, 0)`` and ``q- = min(q, 0)`` it is the dot product of ``[q+, q-]``
    and ``[max, min]``, so the centroid lookup computes it with rows of twice the head size.

    Attributes:
        page: keys a page (paper: 16). rule: ``topk`` (paper) or ``topp`` with an explicit ``top_p``.

    Raises:
        ValueError: a page below 1 key, or a rule that has no calibration here.
    """

    calibrated: ClassVar[bool] = False

    rule: str = "topk"
    page: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.page < 1:
            raise ValueError(f"page is {self.page}; expected at least 1 key")

    def lookup_floor(self, layer: LayerIndex) -> float:
        return page_count(layer, self.page) * page_cost(layer)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        pages = context.derive(("pages", number, self.page), lambda: build_pages(layer, self.page))
        return QuestSelector(Rule(self, size, layer, number), pages, backend)


@dataclass(frozen=True)
class Pages:
    """The pages of one layer.

    Attributes:
        bounds: ``[H, P, 2 D]``, largest and smallest entries of each page's keys. counts: int32 ``[H, P]``.
        page_of_row: int64 ``[H, M]``, the page of every clustered row.
    """

    bounds: torch.Tensor
    counts: torch.Tensor
    page_of_row: torch.Tensor


def page_count(layer: LayerIndex, page: int) -> int:
    """Pages of the clustered keys; the last may be shorter."""
    return -(-layer.clustered // page)


def page_cost(layer: LayerIndex) -> float:
    """Bytes of a page's two bounds over the bytes of a token's key and value."""
    keys = layer.keys.shape[2] * layer.keys.itemsize
    return 2 * keys / (keys + layer.values.shape[2] * layer.values.itemsize)


def build_pages(layer: LayerIndex, page: int) -> Pages:
    """Bounds of all pages, from the keys in the order of the context."""
    keys = layer.in_place_order(layer.keys[:, : layer.clustered].to(layer.device))
    pages = page_count(layer, page)
    missing = pages * page - layer.clustered
    # The last page repeats its last key: the bounds stay those of its own keys.
    padded = torch.cat([keys, keys[:, -1:].expand(-1, missing, -1)], dim=1)
    low, high = padded.unflatten(1, (pages, page)).aminmax(dim=2)
    counts = torch.full((layer.heads, pages), page, dtype=torch.int32, device=keys.device)
    counts[:, -1] -= missing
    return Pages(torch.cat([high, low], dim=-1), counts, layer.positions.long() // page)


@dataclass(frozen=True)
class QuestSelector:
    """The lookup over pages on one layer."""

    rule: Rule
    pages: Pages
    backend: str

    @property
    def block(self) -> int | None:
        return self.rule.block

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer, method, pages = self.rule.layer, self.rule.method, self.pages
        scores = lookup(
            torch.cat([query.clamp(min=0), query.clamp(max=0)], dim=-1),
            pages.bounds,
            pages.counts,
            layer.scale,
            softcap=layer.softcap,
            block=self.block,
            reduce=method.reduce,
            valid=valid,
            backend=self.backend,
        )
        read = pages.counts.shape[1] * page_cost(layer)
        keep = self.rule.keep(
            scores, pages.counts, read, self.rule.size.as_sparsity(layer, read), None
        )
        page_of_row = pages.page_of_row[None, :, None].expand(*keep.shape[:3], -1)
        return Selection(keep.gather(-1, page_of_row), None, read, self.block)
