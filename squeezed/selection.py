"""Selection rules: from log scores per key of every group to the groups that are kept."""

import torch


def above_threshold(log_scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """The paper's rule: keep a group if its score per key lies above the calibrated threshold.

    Args:
        log_scores: ``[B, H, C]``; empty groups score ``-inf`` and are never kept.
        threshold: log score; ``-inf`` keeps every group that has keys.

    Returns:
        Boolean ``[B, H, C]``.
    """
    return log_scores > threshold


def top_share(log_scores: torch.Tensor, counts: torch.Tensor, sparsity: float) -> torch.Tensor:
    """The same share for every head: best groups first, until as many keys are kept as asked.

    Groups are whole, so the number of keys is met as closely as the next group allows, and at least one
    group is kept. A lower sparsity keeps a superset.

    Args:
        log_scores: ``[B, H, C]``. counts: keys of each group, ``[H, C]``. sparsity: share of keys to drop.

    Returns:
        Boolean ``[B, H, C]``.
    """
    used = counts > 0
    if sparsity <= 0:
        return used.expand_as(log_scores)
    # Ties go to the group that comes first: a stable order makes the choice repeatable.
    order = log_scores.argsort(dim=-1, descending=True, stable=True)
    sizes = counts.expand_as(log_scores).gather(-1, order)
    total = counts.sum(-1)[:, None]
    target = (1 - sparsity) * total
    # Taking a group moves the sum closer to the target while at most half of the group lies beyond it.
    before = sizes.cumsum(-1) - sizes
    taken = before + sizes / 2 <= target
    taken[..., 0] = True
    return torch.zeros_like(taken).scatter(-1, order, taken) & used
