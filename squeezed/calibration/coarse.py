"""The search on the levels before the finest: which coarse clusters stay in it."""

import torch

from squeezed.calibration.curves import LevelCurves
from squeezed.index.layer import LayerIndex, Level
from squeezed.index.settings import Conditions
from squeezed.index.spread import MEAN
from squeezed.selection.rules import above_threshold, top_rows


def keep_coarse(
    log_scores: torch.Tensor,
    layer: LayerIndex,
    number: int,
    curves: LevelCurves | None,
    depth: int,
    conditions: Conditions,
    least: float = 0.0,
) -> torch.Tensor:
    """Clusters of a coarser level that stay in the search, boolean ``[B, H, T, C]``.

    Args:
        log_scores: ``[B, H, T, C]`` at level ``depth`` of layer ``number``, of those that are calibrated.
            curves: of this level; ``None`` for ``topk``. conditions: what to drop, and how. least: keys that
            ``topk`` must not miss.
    """
    drop = conditions.drops[depth]
    if drop <= 0:
        return log_scores > -torch.inf
    if conditions.by == "topk":
        rows = torch.tensor((1 - drop) * layer.clustered, device=log_scores.device)
        return top_rows(log_scores, layer.levels[depth].counts, rows, least)
    assert curves is not None
    return above_threshold(
        log_scores, curves.threshold(drop, conditions.by, number).to(log_scores.device)
    )


def with_spread(log_scores: torch.Tensor, level: Level, conditions: Conditions) -> torch.Tensor:
    """Log scores ``[B, H, T, C]`` of a level as ``conditions`` has it; the finest level's are left alone."""
    if conditions.score == MEAN or level.spread is None:
        return log_scores
    return log_scores + level.spread[:, None]
