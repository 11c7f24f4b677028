"""The measured KV budget: bytes of the fixed context that were read, over the bytes of its keys and values.

Read are the kept rows of keys and values, the window's, and every centroid row that was scored. Averaged over
layers, heads and steps; a step is one forward pass (the user input, then each generated token). A user input
that is selected for in blocks counts the mean over its blocks, as full attention reads all for each of them.
Layers with a sliding window have no index and count on neither side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Step:
    """What one layer read in one step, in tokens (the bytes of a key and a value).

    Attributes:
        rows: kept rows ``[B, H]``, without those that are always read. always: those.
        lookup: ``[B, H]``, or one number for all. active: which members of the batch were still generating,
            boolean ``[B]``, others do not count; ``None``: all.
    """

    rows: torch.Tensor
    always: int
    lookup: torch.Tensor | float
    active: torch.Tensor | None

    def read(self) -> torch.Tensor:
        """Rows of keys and values ``[B, H]``."""
        return self.rows + self.always

    def counts(self) -> torch.Tensor:
        """1 for a member that counts, else 0, ``[B, 1]``."""
        if self.active is None:
            return torch.ones(len(self.rows), 1, device=self.rows.device)
        return self.active.to(self.rows.device).float().unsqueeze(-1)


@dataclass
class LayerReads:
    """What one layer read, a step an entry.

    A step is noted as it is, and all steps are summed up when somebody asks: a token would feel it. Tensors
    stay on the device, so that counting does not wait for it.

    Attributes:
        tokens: of the fixed context.
    """

    tokens: int
    steps: list[Step] = field(default_factory=list)

    def clear(self) -> None:
        """Forgets all steps."""
        self.steps.clear()

    def per_member_after(self, steps: int) -> torch.Tensor:
        """Mean KV budget of every member over its active steps behind the first ones, ``[B]``; NaN: none."""
        if len(self.steps) <= steps:
            return torch.full((len(self.steps[0].rows),), torch.nan)
        return self._mean(self.steps[steps:]).mean(1)

    def per_head(self) -> torch.Tensor:
        """Mean KV budget of every head over steps and active members, ``[H]``; NaN before the first."""
        return self._mean(self.steps).nanmean(0)

    def per_member(self) -> torch.Tensor:
        """Mean KV budget of every member of the batch over its active steps and heads, ``[B]``."""
        return self._mean(self.steps).mean(1)

    def rows_per_member(self) -> torch.Tensor:
        """The part of it that is keys and values, ``[B]``."""
        return self._mean(self.steps, lookup=False).mean(1)

    def _mean(self, steps: Sequence[Step], lookup: bool = True) -> torch.Tensor:
        """Mean share of the full K and V over the steps in which a member was active, ``[B, H]``."""
        read = [step.read() + step.lookup if lookup else step.read() for step in steps]
        weights = torch.stack([step.counts() for step in steps])
        return (torch.stack(read) / self.tokens * weights).sum(0) / weights.sum(0)


@dataclass(frozen=True)
class GenerationStats:
    """Measurements of one generation.

    Attributes:
        kv_budget: measured KV budget, 1.0 = all of K and V at every step; of a batch, the mean.
        kv_budgets: the same of each user input. lookup_budget: the part of it that is the lookup's.
        answer_budgets: of each user input, over the passes behind it alone: those of the generated tokens,
            which a method with a dense question is asked for; NaN if only one token was generated.
        budget_per_layer: the same as ``kv_budget``, by layer. budget_per_head: by layer and KV head.
        prefill_ms: time of the user inputs' forward pass. decode_ms_per_token: mean over the generated tokens
            after the first; NaN if there are none.
    """

    kv_budget: float
    kv_budgets: tuple[float, ...]
    lookup_budget: float
    answer_budgets: tuple[float, ...]
    budget_per_layer: tuple[float, ...]
    budget_per_head: tuple[tuple[float, ...], ...]
    prefill_ms: float
    decode_ms_per_token: float


def summarise(
    reads: list[LayerReads], passes: int, prefill_ms: float, decode_ms: float
) -> GenerationStats:
    """The statistics of all layers together; ``passes``: those that the user inputs took."""
    members = torch.stack([layer.per_member().cpu() for layer in reads]).mean(0)
    heads = [layer.per_head().tolist() for layer in reads]
    rows = torch.stack([layer.rows_per_member().cpu() for layer in reads]).mean(0)
    return GenerationStats(
        kv_budget=members.mean().item(),
        kv_budgets=tuple(members.tolist()),
        lookup_budget=(members - rows).mean().item(),
        answer_budgets=tuple(_answers(reads, passes).tolist()),
        budget_per_layer=tuple(sum(head) / len(head) for head in heads),
        budget_per_head=tuple(tuple(head) for head in heads),
        prefill_ms=prefill_ms,
        decode_ms_per_token=decode_ms,
    )


def _answers(reads: list[LayerReads], passes: int) -> torch.Tensor:
    """Mean over layers of the budgets behind the user inputs' passes, ``[B]``.

    Layers that several decoder layers attend to count several steps a pass.
    """
    fewest = min(len(layer.steps) for layer in reads)
    shares = [len(layer.steps) // fewest for layer in reads]
    each = zip(reads, shares, strict=True)
    return torch.stack([layer.per_member_after(passes * n).cpu() for layer, n in each]).mean(0)


def mean_budget(reads: list[LayerReads]) -> tuple[float, tuple[float, ...]]:
    """KV budget over all layers, and by layer; NaN before the first step."""
    if not reads or not reads[0].steps:
        return float("nan"), tuple(float("nan") for _ in reads)
    stats = summarise(reads, 1, float("nan"), float("nan"))
    return stats.kv_budget, stats.budget_per_layer
