"""What methods share that look keys up by groups of their own: chunks of neighbours, or clusters.

A group has a vector that stands for it in the lookup. Rows beside the groups can be always kept; a group that
does not fit whole is cut, where the method says so.
"""

import math
from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.index.layer import LayerIndex
from squeezed.methods.ruled import Rule
from squeezed.methods.sketched import QueryMap, as_it_is
from squeezed.selection.kept import Selection, StandIns
from squeezed.selection.rules import top_rows


@dataclass(frozen=True)
class Groups:
    """Groups of the clustered rows of one layer.

    Attributes:
        vectors: that stand for them in the lookup, ``[H, C, R]``. sizes: rows of each, int32 ``[H, C]``; a
            group of none is not scored.
        group_of_row: int64 ``[H, M]``, in cluster order. always: rows that are kept whatever they score,
            boolean ``[H, M]``; they belong to no group that is scored, or count as a part of it.
    """

    vectors: torch.Tensor
    sizes: torch.Tensor
    group_of_row: torch.Tensor
    always: torch.Tensor


@dataclass(frozen=True)
class GroupSelector:
    """The lookup over groups on one layer.

    Attributes:
        read: tokens that a lookup reads. weighed: a group weighs as many keys as it has in the softmax; else
            each weighs one. estimated: share of the groups that speak, not kept, through a stand-in.
        stand_ins: their mean keys and values, ``[H, C, D]`` each. stand_in_cost: tokens that one reads beyond
            the lookup.
        query: from a query to what the groups' vectors are compared with. shared: all heads of the layer keep
            the same groups, by the mean of their scores. whole: groups are kept whole, best first up to the
            first that is beyond the size; else that one is cut.
    """

    rule: Rule
    groups: Groups
    read: float
    backend: str
    weighed: bool = False
    estimated: float = 0.0
    stand_ins: tuple[torch.Tensor, torch.Tensor] | None = None
    stand_in_cost: float = 0.0
    query: QueryMap = as_it_is
    shared: bool = False
    whole: bool = False

    @property
    def block(self) -> int | None:
        return self.rule.block

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer, groups = self.rule.layer, self.groups
        counts = groups.sizes if self.weighed else groups.sizes.clamp(max=1)
        scores = lookup(
            self.query(query, valid, self.block).to(groups.vectors.dtype),
            groups.vectors,
            counts,
            layer.scale,
            softcap=layer.softcap,
            block=self.block,
            reduce=self.rule.method.reduce,
            valid=valid,
            backend=self.backend,
        )
        if self.shared:
            mean = scores.logsumexp(1, keepdim=True) - math.log(layer.heads)
            scores = mean.expand_as(scores)
        read = self.read + self._estimated_count() * self.stand_in_cost
        rows = self._rows(scores, read)
        if self.stand_ins is None:
            return Selection(rows, None, read, self.block)
        return self._with_stand_ins(scores, rows)

    def _rows(self, scores: torch.Tensor, read: float) -> torch.Tensor:
        """Rows that are kept, boolean ``[B, H, T, M]``: those of the best groups, the last cut or left out.

        The order of the rows is that of their groups, and inside a group that of the context.
        """
        groups, layer = self.groups, self.rule.layer
        if self.rule.method.rule != "topk" or self.whole:
            kept = self._kept_groups(scores, read)
            return kept.gather(-1, _at(groups.group_of_row, kept)) | groups.always[None, :, None]
        by_row = scores.gather(-1, _at(groups.group_of_row, scores))
        first = groups.always[None, :, None]
        by_row = by_row.masked_fill(first, torch.inf)
        places = layer.positions.long()
        by_place = torch.empty_like(by_row).scatter(-1, _at(places, by_row), by_row)
        rows = self.rule.size.rows(layer, read).round()
        each = torch.ones_like(groups.group_of_row, dtype=torch.int32)
        kept = top_rows(by_place, each, rows)
        return kept.gather(-1, _at(places, kept)) | first

    def _kept_groups(self, scores: torch.Tensor, read: float) -> torch.Tensor:
        """Groups that are kept whole, boolean ``[B, H, T, C]``."""
        groups = self.groups
        if self.rule.method.rule != "topk":
            return self.rule.keep(scores, groups.sizes, read, 0.0, None)
        rows = self.rule.size.rows(self.rule.layer, read) - groups.always.sum(1)[None, :, None]
        order = scores.argsort(dim=-1, descending=True, stable=True)
        sizes = groups.sizes[None, :, None].expand_as(order).gather(-1, order)
        # Of a share, rows can be a hair too few.
        fits = sizes.cumsum(-1) <= rows.unsqueeze(-1) + 1e-4
        return torch.zeros_like(fits).scatter(-1, order, fits) & (scores > -torch.inf)

    def _estimated_count(self) -> int:
        return round(self.estimated * self.groups.sizes.shape[1])

    def _with_stand_ins(self, scores: torch.Tensor, rows: torch.Tensor) -> Selection:
        """The next best groups of which nothing is kept are represented; what speaks for them is read."""
        assert self.stand_ins is not None
        groups = self.groups
        kept = torch.zeros_like(scores).scatter_add_(
            -1, _at(groups.group_of_row, scores), rows.to(scores.dtype)
        )
        untouched = (kept == 0) & (scores > -torch.inf)
        rank = scores.masked_fill(~untouched, -torch.inf)
        count = self._estimated_count()
        best = rank.argsort(dim=-1, descending=True, stable=True)[..., :count]
        used = torch.zeros_like(untouched).scatter(-1, best, True) & untouched
        keys, values = self.stand_ins
        stand_ins = StandIns(keys, values, groups.sizes, used)
        read = self.read + used.sum(-1, dtype=torch.float32) * self.stand_in_cost
        return Selection(rows, None, read, self.block, stand_ins)


def _at(places: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Places ``[H, M]`` for ``gather`` on ``[B, H, T, ...]``."""
    return places[None, :, None].expand(like.shape[0], -1, like.shape[2], -1)


def chunks_of(layer: LayerIndex, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Chunks of ``size`` neighbours: their number for every row ``[H, M]`` and their rows, int32 ``[H, C]``.

    The last chunk may be shorter.
    """
    count = -(-layer.clustered // size)
    sizes = torch.full((layer.heads, count), size, dtype=torch.int32, device=layer.device)
    sizes[:, -1] -= count * size - layer.clustered
    return layer.positions.long() // size, sizes


def means_of(rows: torch.Tensor, group_of_row: torch.Tensor, count: int) -> torch.Tensor:
    """Mean of the rows ``[H, M, D]`` of each group, float32 ``[H, count, D]``; 0 for a group of none."""
    places = group_of_row.unsqueeze(-1).expand_as(rows)
    sums = torch.zeros(len(rows), count, rows.shape[2], device=rows.device)
    sums = sums.scatter_add(1, places, rows.float())
    sizes = torch.zeros(len(rows), count, device=rows.device)
    sizes = sizes.scatter_add(1, group_of_row, torch.ones_like(group_of_row, dtype=torch.float32))
    return sums / sizes.clamp(min=1).unsqueeze(-1)
