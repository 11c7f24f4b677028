"""What each decoder layer computed for the fixed context: keys, values and the queries of the window."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LayerStates:
    """What one layer that attends to everything computed for the fixed context.

    Attributes:
        keys: after RoPE, ``[H, N, D]``. values: ``[H, N, D]``.
        queries: of the observation window, ``[Hq, W, D]``.
        scale: softmax scale of the layer. softcap: of its logits, if it has one.
        accumulated: attention that each key received from all queries, summed over queries and averaged over
            the query heads of its KV head, float32 ``[H, N]``; ``None`` if it was not asked for.
    """

    keys: torch.Tensor
    values: torch.Tensor
    queries: torch.Tensor
    scale: float
    softcap: float | None = None
    accumulated: torch.Tensor | None = None


@dataclass(frozen=True)
class LocalLayer:
    """What one sliding-window layer keeps of the fixed context.

    Attributes:
        keys, values: of the last F tokens in their order, ``[H, F, D]``; F is ``sliding_window - 1``, or N if
            the context is shorter.
        sliding_window: tokens that a query sees, itself included.
    """

    keys: torch.Tensor
    values: torch.Tensor
    sliding_window: int
