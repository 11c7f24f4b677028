"""Squeezed Attention (Hooper et al., arXiv 2411.09688): score centroids, keep important clusters."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from squeezed_kernels import children, lookup

from squeezed.calibration import Calibration
from squeezed.index import LayerIndex, Level
from squeezed.methods.base import Selection, Selector, Size, StandIns
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.selection import above_threshold, top_rows
from squeezed.settings import COARSE_SPARSITY, coarse_drops

if TYPE_CHECKING:
    from squeezed.context import FixedContext


@dataclass(frozen=True)
class Squeezed(RuledMethod):
    """K-means clusters, softmax scores of their centroids; selected by ``rule`` (see ``RuledMethod``).

    With several levels the lookup goes from coarse to fine and scores only the children of what survived.

    Attributes:
        coarse_sparsity: share of the keys that the levels before the finest drop. A number is what each level
            drops of what reaches it (paper: 0.5), a tuple the share of all keys dropped after each level.
        residual: dropped clusters contribute through their centroid and mean value, weighted by their size
            (Multipole Attention, arXiv 2506.13059).

    Raises:
        ValueError: a share outside [0, 1), or a tuple that falls.
    """

    coarse_sparsity: float | tuple[float, ...] = COARSE_SPARSITY
    residual: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.coarse_sparsity, (int, float)):
            object.__setattr__(self, "coarse_sparsity", tuple(self.coarse_sparsity))
        shares = self.coarse_sparsity
        shares = shares if isinstance(shares, tuple) else (shares,)
        if any(not 0 <= share < 1 for share in shares) or list(shares) != sorted(shares):
            raise ValueError(
                f"coarse_sparsity is {self.coarse_sparsity}; expected shares in [0, 1), not falling"
            )

    def drops(self, depth: int) -> tuple[float, ...]:
        """Share of all keys dropped after each level but the finest, coarse to fine.

        Raises:
            ValueError: ``coarse_sparsity`` names another number of levels.
        """
        coarse = self.coarse_sparsity
        if not isinstance(coarse, tuple):
            return coarse_drops(depth, coarse)
        if len(coarse) != depth - 1:
            raise ValueError(
                f"coarse_sparsity is {coarse}, {len(coarse)} shares, but the context has {depth} levels; "
                f"expected {depth - 1}"
            )
        return coarse

    def lookup_floor(self, layer: LayerIndex) -> float:
        return expected_lookup(layer, self.drops(len(layer.levels)))

    def selector(self, context: "FixedContext", number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        drops = self.drops(len(layer.levels))
        sparsity = size.as_sparsity(layer, expected_lookup(layer, drops))
        # A coarser level must not drop more than is dropped in the end.
        drops = tuple(min(drop, sparsity) for drop in drops)
        needs = self.rule == "threshold" and sparsity > 0
        needs |= self.rule == "topp" and self.top_p is None
        return SqueezedSelector(
            method=self,
            rule=Rule(self, size, layer, number),
            sparsity=sparsity,
            drops=drops,
            calibrations=context.calibrations(drops) if needs else None,
            mean_values=context.mean_values(number) if self.residual else (),
            backend=backend,
        )


def expected_lookup(layer: LayerIndex, drops: tuple[float, ...]) -> float:
    """What a lookup reads in tokens if every level drops its share of the clusters."""
    reached = (0.0, *drops)
    rows = sum(
        level.clusters * (1 - share) for level, share in zip(layer.levels, reached, strict=True)
    )
    return rows * layer.lookup_cost


@dataclass(frozen=True)
class SqueezedSelector:
    """The lookup on one layer.

    Attributes:
        sparsity: to meet at the finest level. drops: share of all keys dropped after each coarser level.
        calibrations: for user inputs and for single tokens; ``None`` where the rule needs none.
        mean_values: of each level's clusters, ``[H, C, D]``; empty without residual.
    """

    method: Squeezed
    rule: Rule
    sparsity: float
    drops: tuple[float, ...]
    calibrations: tuple[Calibration, Calibration] | None
    mean_values: tuple[torch.Tensor, ...]
    backend: str

    @property
    def block(self) -> int | None:
        return self.rule.block

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer, calibration = self.rule.layer, self._calibration(query)
        read: torch.Tensor | float = 0.0
        keep: torch.Tensor | None = None
        passed: list[
            tuple[torch.Tensor, torch.Tensor]
        ] = []  # scores and kept clusters of each level
        for depth, level in enumerate(layer.levels):
            allowed = None if keep is None else children(keep, layer.levels[depth - 1].offsets)
            scores = self._lookup(query, level, valid, allowed)
            scored = level.clusters if allowed is None else allowed.sum(-1, dtype=torch.float32)
            read = read + scored * layer.lookup_cost
            if depth + 1 < len(layer.levels):
                keep = self._coarse(scores, level, depth, calibration)
            else:
                keep = self.rule.keep(scores, level.counts, read, self.sparsity, calibration)
            passed.append((scores, keep))
        assert keep is not None
        selection = Selection(keep, layer.levels[-1].offsets, read, self.block)
        return self._with_stand_ins(selection, passed) if self.method.residual else selection

    def _lookup(
        self,
        query: torch.Tensor,
        level: Level,
        valid: torch.Tensor | None,
        allowed: torch.Tensor | None,
    ) -> torch.Tensor:
        return lookup(
            query,
            level.centroids,
            level.counts,
            self.rule.layer.scale,
            softcap=self.rule.layer.softcap,
            block=self.block,
            reduce=self.method.reduce,
            valid=valid,
            candidates=allowed,
            backend=self.backend,
        )

    def _coarse(
        self, scores: torch.Tensor, level: Level, depth: int, calibration: Calibration | None
    ) -> torch.Tensor:
        """Clusters of a coarser level that stay in the search."""
        drop = self.drops[depth]
        if drop <= 0:
            return scores > -torch.inf
        if self.method.rule == "threshold":
            assert calibration is not None
            cut = calibration.levels[depth].threshold(drop, self.method.scope, self.rule.number)
            return above_threshold(scores, cut.to(scores.device))
        rows = torch.tensor((1 - drop) * self.rule.layer.clustered, device=scores.device)
        return top_rows(scores, level.counts, rows)

    def _with_stand_ins(
        self, selection: Selection, passed: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> Selection:
        """Every key is either attended or stands behind exactly one centroid."""
        layer = self.rule.layer
        used = torch.cat([~keep & (scores > -torch.inf) for scores, keep in passed], dim=-1)
        stand_ins = StandIns(
            keys=torch.cat([level.centroids for level in layer.levels], dim=1),
            values=torch.cat(self.mean_values, dim=1),
            counts=torch.cat([level.counts for level in layer.levels], dim=1),
            used=used,
        )
        read = selection.lookup + used.sum(-1, dtype=torch.float32) * layer.lookup_cost
        return Selection(selection.keep, selection.offsets, read, selection.block, stand_ins)

    def _calibration(self, query: torch.Tensor) -> Calibration | None:
        return None if self.calibrations is None else self.calibrations[int(query.shape[2] == 1)]
