"""The measured KV budget: bytes of the fixed context that were read, over the bytes of its keys and values.

Read are the kept rows of keys and values, the window's, and every centroid row that was scored. Averaged over
layers, heads and steps; a step is one forward pass (the user input, then each generated token). A user input
that is selected for in blocks counts the mean over its blocks, as full attention reads all for each of them.
Layers with a sliding window have no index and count on neither side.
"""

from dataclasses import dataclass, field

import torch


@dataclass
class LayerReads:
    """What one layer read, a step an entry; each tensor is ``[B, H]``, a share of the full K and V bytes.

    Tensors stay on the device, so that counting does not wait for it.

    Attributes:
        steps: bytes read. rows: the part of it that is keys and values. active: which members of the batch
            were still generating, boolean ``[B]``; others do not count.
    """

    steps: list[torch.Tensor] = field(default_factory=list)
    rows: list[torch.Tensor] = field(default_factory=list)
    active: list[torch.Tensor] = field(default_factory=list)

    def add(
        self, rows: torch.Tensor, lookup: torch.Tensor, tokens: int, active: torch.Tensor
    ) -> None:
        """One step: ``rows`` and ``lookup`` ``[B, H]`` in tokens (the bytes of a key and a value), of
        ``tokens`` fixed tokens; ``active`` ``[B]``."""
        self.steps.append((rows + lookup) / tokens)
        self.rows.append(rows / tokens)
        self.active.append(active)

    def clear(self) -> None:
        """Forgets all steps."""
        for kept in (self.steps, self.rows, self.active):
            kept.clear()

    def per_member_after(self, steps: int) -> torch.Tensor:
        """Mean KV budget of every member over its active steps behind the first ones, ``[B]``; NaN: none."""
        if len(self.steps) <= steps:
            return torch.full(self.active[0].shape, torch.nan)
        return _mean(self.steps[steps:], self.active[steps:]).mean(1)

    def per_head(self) -> torch.Tensor:
        """Mean KV budget of every head over steps and active members, ``[H]``; NaN before the first."""
        return _mean(self.steps, self.active).nanmean(0)

    def per_member(self) -> torch.Tensor:
        """Mean KV budget of every member of the batch over its active steps and heads, ``[B]``."""
        return _mean(self.steps, self.active).mean(1)


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
    rows = torch.stack([_mean(layer.rows, layer.active).mean(1).cpu() for layer in reads]).mean(0)
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


def _mean(steps: list[torch.Tensor], active: list[torch.Tensor]) -> torch.Tensor:
    """Mean over the steps in which a member was active, ``[B, H]``."""
    weights = torch.stack(active).float().unsqueeze(-1)
    return (torch.stack(steps).float() * weights).sum(0) / weights.sum(0)
