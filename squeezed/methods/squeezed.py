"""Squeezed Attention (Hooper et al., arXiv 2411.09688): score centroids, keep important clusters."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import Ranked, children, lookup

from squeezed.calibration.coarse import keep_coarse, with_spread
from squeezed.calibration.curves import Calibration
from squeezed.calibration.of_context import Pair, calibrations
from squeezed.context.data import Context
from squeezed.context.derived import mean_values
from squeezed.index.layer import LayerIndex, Level
from squeezed.index.settings import COARSE_SPARSITY, Conditions, coarse_drops
from squeezed.index.spread import COARSE_SCORES, MEAN, SPREAD
from squeezed.methods.base import Size
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.selection.kept import Selection, StandIns
from squeezed.selection.selectors import Selector

SETTLED = 5  # rounds; each is closer by the share of the bytes that centroids take, a tenth or less


@dataclass(frozen=True)
class Squeezed(RuledMethod):
    """K-means clusters, softmax scores of their centroids; selected by ``rule`` (see ``RuledMethod``).

    With several levels the lookup goes from coarse to fine and scores only the children of what survived.

    Attributes:
        coarse_sparsity: share of the keys that the levels before the finest drop. A number is what each level
            drops of what reaches it (paper: 0.5), a tuple the share of all keys dropped after each level.
        coarse_score: of the clusters of those levels: ``mean``, the score of their centroid (paper), or
            ``spread``, with the cluster's spread added (``squeezed.index.spread``).
        residual: dropped clusters contribute through their centroid and mean value, weighted by their size
            (Multipole Attention, arXiv 2506.13059).

    Raises:
        ValueError: a share outside [0, 1), a tuple that falls, or an unknown score.
    """

    clustered: ClassVar[bool] = True

    coarse_sparsity: float | tuple[float, ...] = COARSE_SPARSITY
    coarse_score: str = MEAN
    residual: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coarse_score not in COARSE_SCORES:
            raise ValueError(
                f"coarse_score is {self.coarse_score!r}; expected one of {', '.join(COARSE_SCORES)}"
            )
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
        return self.expected_lookup(layer, self.drops(len(layer.levels)))

    def expected_lookup(self, layer: LayerIndex, drops: tuple[float, ...]) -> float:
        """What a lookup reads in tokens if every level drops its share of the clusters.

        With ``residual`` also the mean values of what it drops, at the finest level as if it dropped all.
        """
        clusters = [level.clusters for level in layer.levels]
        scored = [c * (1 - share) for c, share in zip(clusters, (0.0, *drops), strict=True)]
        rows = sum(scored)
        if self.residual:
            passed = [c * (1 - share) for c, share in zip(clusters, drops, strict=False)]
            rows += sum(scored) - sum(passed)
        spread = sum(scored[:-1]) * layer.spread_cost if self.coarse_score == SPREAD else 0.0
        return rows * layer.lookup_cost + spread

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        drops, sparsity = self._drops_within(layer, size)
        by = self.scope if self.rule == "threshold" else "topk"
        conditions = Conditions(
            drops, by, self.coarse_score, self.reduce, self.block, self.dense_layers
        )
        needs = self.rule == "threshold" and sparsity > 0
        needs |= self.rule == "topp" and self.top_p is None
        return SqueezedSelector(
            method=self,
            rule=Rule(self, size, layer, number - self.dense_layers),
            sparsity=sparsity,
            conditions=conditions,
            calibrations=calibrations(context, conditions) if needs else None,
            mean_values=mean_values(context, number) if self.residual else (),
            backend=backend,
            one_call=self._ranked(layer, size),
        )

    def _drops_within(self, layer: LayerIndex, size: Size) -> tuple[tuple[float, ...], float]:
        """The drops of ``drops``, none of them more than is dropped in the end; and the sparsity then."""
        asked = drops = self.drops(len(layer.levels))
        sparsity = size.as_sparsity(layer, self.expected_lookup(layer, drops))
        if self.top_p is not None:  # what is dropped in the end is not known
            return tuple(min(drop, float(self.top_p < 1)) for drop in drops), sparsity
        # A level that drops less lets the next one read more, which leaves less to keep: until both agree.
        for _ in range(SETTLED):
            drops = tuple(min(drop, sparsity) for drop in asked)
            sparsity = size.as_sparsity(layer, self.expected_lookup(layer, drops))
        return tuple(min(drop, sparsity) for drop in asked), sparsity

    def _ranked(self, layer: LayerIndex, size: Size) -> tuple[Ranked, float] | None:
        """What a token chooses among and reads, where that is known beforehand."""
        level = layer.levels[-1]
        if self.rule != "topk" or self.residual or len(layer.levels) > 1:
            return None
        read = level.clusters * layer.lookup_cost
        rows = size.rows(layer, read).item()
        centroids, counts, offsets = level.centroids, level.counts, level.offsets
        return Ranked(counts, offsets, rows, centroids, reduce=self.reduce), read


@dataclass(frozen=True)
class SqueezedSelector:
    """The lookup on one layer.

    Attributes:
        sparsity: to meet at the finest level. conditions: how keys are scored, and what the levels before
            it drop.
        calibrations: for user inputs and for single tokens; ``None`` where the rule needs none.
        mean_values: of each level's clusters, ``[H, C, D]``; empty without residual. one_call: what
            ``ranked`` returns.
    """

    method: Squeezed
    rule: Rule
    sparsity: float
    conditions: Conditions
    calibrations: Pair | None
    mean_values: tuple[torch.Tensor, ...]
    backend: str
    one_call: tuple[Ranked, float] | None = None

    @property
    def block(self) -> int | None:
        return self.rule.block

    def ranked(self, query: torch.Tensor) -> tuple[Ranked, float] | None:
        return self.one_call

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer = self.rule.layer
        calibration = self.rule.phase(self.calibrations, query, valid)
        read: torch.Tensor | float = 0.0
        keep: torch.Tensor | None = None
        passed: list[
            tuple[torch.Tensor, torch.Tensor]
        ] = []  # scores and kept clusters of each level
        for depth, level in enumerate(layer.levels):
            allowed = None
            if keep is not None:
                offsets = layer.levels[depth - 1].offsets
                allowed = children(keep, offsets, total=level.clusters, backend=self.backend)
            scores = self._lookup(query, level, valid, allowed)
            scored = level.clusters if allowed is None else allowed.sum(-1, dtype=torch.float32)
            read = read + scored * layer.lookup_cost
            if depth + 1 < len(layer.levels):
                if self.conditions.score == SPREAD:
                    read = read + scored * layer.spread_cost
                keep = self._coarse(with_spread(scores, level, self.conditions), depth, calibration)
            else:
                cost = read + self._stand_in_cost(passed, scored)
                keep = self.rule.keep(scores, level.counts, cost, self.sparsity, calibration)
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
        self, scores: torch.Tensor, depth: int, calibration: Calibration | None
    ) -> torch.Tensor:
        """Clusters of a coarser level that stay in the search."""
        # With few, large clusters the nearest size can fall short of what the finest level is to keep.
        least = 0.0 if self.method.top_p is not None else 1 - self.sparsity
        return keep_coarse(
            scores,
            self.rule.layer,
            self.rule.number,
            None if calibration is None else calibration.levels[depth],
            depth,
            self.conditions,
            least * self.rule.layer.clustered,
        )

    def _stand_in_cost(
        self, passed: list[tuple[torch.Tensor, torch.Tensor]], scored: torch.Tensor | int
    ) -> torch.Tensor | float:
        """What stand-ins read in tokens if the finest level drops all ``scored`` clusters."""
        if not self.method.residual:
            return 0.0
        used: torch.Tensor | int = scored
        for scores, keep in passed:
            used = used + _dropped(scores, keep).sum(-1, dtype=torch.float32)
        return used * self.rule.layer.lookup_cost

    def _with_stand_ins(
        self, selection: Selection, passed: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> Selection:
        """Every key is either attended or stands behind exactly one centroid."""
        layer = self.rule.layer
        used = torch.cat([_dropped(scores, keep) for scores, keep in passed], dim=-1)
        stand_ins = StandIns(
            keys=torch.cat([level.centroids for level in layer.levels], dim=1),
            values=torch.cat(self.mean_values, dim=1),
            counts=torch.cat([level.counts for level in layer.levels], dim=1),
            used=used,
        )
        read = selection.lookup + used.sum(-1, dtype=torch.float32) * layer.lookup_cost
        return Selection(selection.keep, selection.offsets, read, selection.block, stand_ins)


def _dropped(scores: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Clusters that were scored and not kept."""
    return ~keep & (scores > -torch.inf)
