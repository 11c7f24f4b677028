"""Layers with a sliding window: they keep the end of the fixed context in order, and attend to it densely.

Such a layer reads at most its window, however long the context is, so there is nothing to squeeze: it has no
index and is not part of the KV budget.
"""

import torch

from squeezed.cache.own_tokens import OwnTokensLayer, Progress
from squeezed.model import attention
from squeezed.model.states import LocalLayer


class LocalContextLayer(OwnTokensLayer):
    """One sliding-window layer of a conversation's cache."""

    is_sliding = True  # transformers then builds the sliding mask for this layer

    def __init__(self, fixed: LocalLayer, fixed_tokens: int, progress: Progress) -> None:
        super().__init__(fixed_tokens, progress)
        self.fixed, self.sliding_window = fixed, fixed.sliding_window

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
        softcap: float | None,
    ) -> torch.Tensor:
        assert self.keys is not None
        assert self.values is not None
        self.progress.take()
        batch, length, window = len(query), query.shape[2], self.fixed.sliding_window
        own = own_mask(mask, length, self.keys.shape[2], window, query.device)
        seen = torch.cat([fixed_mask(own, self.fixed.keys.shape[1], window), own], dim=3)
        keys, values = (
            torch.cat([fixed.expand(batch, -1, -1, -1), each[:, :, -own.shape[3] :]], dim=2)
            for fixed, each in ((self.fixed.keys, self.keys), (self.fixed.values, self.values))
        )
        return attention.dense(module, query, keys, values, seen, scale, softcap)


def own_mask(
    mask: torch.Tensor | None, length: int, own: int, window: int, device: torch.device
) -> torch.Tensor:
    """Which own tokens each query sees, boolean ``[B or 1, 1, L, U']``, U' at most ``window - 1 + L``.

    Args:
        mask: as the layer gets it, over all ``own`` tokens. length: queries, the last own tokens.

    Returns:
        The columns of the last U' own tokens; those before are out of every query's window. Padding lies in
        front of a user input, so places among own tokens differ as positions do.
    """
    rows = torch.arange(own - length, own, device=device)
    distance = rows[:, None] - torch.arange(own, device=device)
    near = ((distance >= 0) & (distance < window))[None, None]
    if mask is not None:
        near = near & mask
    return near[..., -(window - 1 + length) :]


def fixed_mask(own: torch.Tensor, fixed: int, window: int) -> torch.Tensor:
    """Which of the last ``fixed`` tokens of the fixed context each query sees, boolean ``[B or 1, 1, L, F]``.

    A query's window ends with the own tokens it sees, n of them, and reaches ``window - n`` tokens further.
    So it is counted over positions: padding between the context and a user input takes nothing from it.
    """
    from_end = torch.arange(fixed, 0, -1, device=own.device)
    return from_end <= window - own.sum(-1, keepdim=True)
