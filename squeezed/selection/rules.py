"""Selection rules: from log scores per key of every group to the groups that are kept.

Shapes: scores ``[B, H, T, C]`` for T blocks of queries and C groups; counts are the groups' keys, ``[H, C]``.
Empty groups and groups that were not scored have ``-inf`` and are never kept.
"""

import torch
from squeezed_kernels import keep_best


def above_threshold(log_scores: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """The paper's rule: keep a group if its score per key lies above the calibrated threshold.

    Args:
        log_scores: ``[B, H, T, C]``. threshold: log scores, ``[H]`` or ``[1]``; ``-inf`` keeps every group
            that has a score.

    Returns:
        Boolean ``[B, H, T, C]``.
    """
    return log_scores > threshold[:, None, None]


def top_rows(
    log_scores: torch.Tensor,
    counts: torch.Tensor,
    rows: torch.Tensor,
    least: float = 0.0,
) -> torch.Tensor:
    """The same size for every head: best groups first, until as many keys are kept as asked.

    Groups are whole, so the number of keys is met as closely as the next group allows, and at least one
    group is kept. A larger number keeps a superset.

    Args:
        log_scores: ``[B, H, T, C]``. counts: ``[H, C]``. rows: keys to keep, broadcastable to ``[B, H, T]``.
        least: keys that must not be missed; the group that reaches them is kept even if most of it is beyond.

    Returns:
        Boolean ``[B, H, T, C]``.
    """
    return keep_best(log_scores, counts, rows, least)


def top_mass(log_scores: torch.Tensor, counts: torch.Tensor, mass: float) -> torch.Tensor:
    """The smallest set of groups that holds a probability mass, for every head on its own (top-p).

    Args:
        log_scores: ``[B, H, T, C]``; a group holds ``counts * exp(score)``, of which the sum is shared.
        counts: ``[H, C]``. mass: in [0, 1]; at least one group is kept, at 1 all that have a score.

    Returns:
        Boolean ``[B, H, T, C]``.
    """
    order, sizes = _best_first(log_scores, counts)
    before = _mass_before(log_scores, order, sizes)
    taken = before < mass if mass < 1 else torch.ones_like(order, dtype=torch.bool)
    taken[..., 0] = True
    return _back(taken, order) & (log_scores > -torch.inf)


def rows_in_mass(
    log_scores: torch.Tensor, counts: torch.Tensor, masses: torch.Tensor
) -> torch.Tensor:
    """Keys that ``top_mass`` keeps at each of P masses, ``[B, H, T, P]``; arguments as there."""
    order, sizes = _best_first(log_scores, counts)
    sizes = sizes.masked_fill(log_scores.gather(-1, order) == -torch.inf, 0)
    before = _mass_before(log_scores, order, sizes).contiguous()
    masses = masses.to(before).expand(*before.shape[:-1], -1).contiguous()
    taken = torch.searchsorted(before, masses).clamp(min=1)
    taken = taken.masked_fill(masses >= 1, before.shape[-1])
    return sizes.cumsum(-1).gather(-1, taken - 1)


def _mass_before(
    log_scores: torch.Tensor, order: torch.Tensor, sizes: torch.Tensor
) -> torch.Tensor:
    """Probability mass of all better groups, float64 ``[B, H, T, C]`` in the order of the scores."""
    logs = (log_scores.gather(-1, order) + sizes.log()).double()
    held = (logs - logs.logsumexp(-1, keepdim=True)).exp().nan_to_num(0.0)
    return held.cumsum(-1) - held


def _best_first(
    log_scores: torch.Tensor, counts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Groups in the order of their scores, and their sizes, both ``[B, H, T, C]``."""
    # Ties go to the group that comes first: a stable order makes the choice repeatable.
    order = log_scores.argsort(dim=-1, descending=True, stable=True)
    return order, counts[:, None].expand_as(log_scores).gather(-1, order)


def _back(taken: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """From places in ``order`` to groups."""
    return torch.zeros_like(taken).scatter(-1, order, taken)
