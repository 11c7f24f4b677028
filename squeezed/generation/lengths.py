"""User inputs of different lengths where none can be padded: answered by length, told as one batch."""

from collections.abc import Sequence

import torch

from squeezed.cache.accounting import GenerationStats
from squeezed.generation.batch import Batch


def by_length(batch: Batch) -> list[list[int]]:
    """The places in the batch of the user inputs of each length, short ones first."""
    lengths = batch.real.sum(1).tolist()
    return [
        [place for place, each in enumerate(lengths) if each == length]
        for length in sorted(set(lengths))
    ]


def in_order(
    parts: Sequence[torch.Tensor], places: Sequence[Sequence[int]], fill: int
) -> torch.Tensor:
    """Rows ``[b, T_i]`` of all parts as one tensor ``[B, T]``, each at its place, filled up to one length."""
    longest = max(part.shape[1] for part in parts)
    rows = [torch.nn.functional.pad(p, (0, longest - p.shape[1]), value=fill) for p in parts]
    return torch.cat(rows)[_order(places)]


def together(
    stats: Sequence[GenerationStats], places: Sequence[Sequence[int]], steps: Sequence[int]
) -> GenerationStats:
    """The statistics of all parts: budgets as of one batch, the times of the prefills added up.

    Args:
        stats: of each part. places: of its members in the whole batch. steps: of its decoding.
    """
    weights = torch.tensor([float(len(part)) for part in places])
    weights = weights / weights.sum()

    def mean(values: Sequence[object]) -> torch.Tensor:
        return torch.einsum("p,p...->...", weights, torch.tensor(values))

    answers = torch.tensor([budget for part in stats for budget in part.answer_budgets])
    budgets = torch.tensor([budget for part in stats for budget in part.kv_budgets])
    total = sum(steps)
    decoded = sum(p.decode_ms_per_token * n for p, n in zip(stats, steps, strict=True) if n)
    return GenerationStats(
        kv_budget=budgets.mean().item(),
        kv_budgets=tuple(budgets[_order(places)].tolist()),
        lookup_budget=mean([part.lookup_budget for part in stats]).item(),
        answer_budgets=tuple(answers[_order(places)].tolist()),
        budget_per_layer=tuple(mean([part.budget_per_layer for part in stats]).tolist()),
        budget_per_head=tuple(
            tuple(mean(heads).tolist())
            for heads in zip(*(part.budget_per_head for part in stats), strict=True)
        ),
        prefill_ms=sum(part.prefill_ms for part in stats),
        decode_ms_per_token=decoded / total if total else float("nan"),
    )


def _order(places: Sequence[Sequence[int]]) -> torch.Tensor:
    """Where each member of the whole batch is among the parts' members."""
    return torch.tensor([place for part in places for place in part]).argsort()
