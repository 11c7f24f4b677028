"""Layers with a sliding window: they keep the end of the fixed context in order, and attend to it densely.

Such a layer reads at most its window, however long the context is, so there is nothing to squeeze: it has no
index and is not part of the KV budget.
"""

from typing import Any

import torch

from squeezed.cache.own_tokens import OwnTokensLayer, Progress
from squeezed.model import attention
from squeezed.model.logits import Logits
from squeezed.model.states import LocalLayer
from squeezed.model.tags import plain, tag


class LocalContextLayer(OwnTokensLayer):
    """One sliding-window layer of a conversation's cache."""

    is_sliding = True  # transformers then builds the sliding mask for this layer

    def __init__(self, fixed: LocalLayer, fixed_tokens: int, progress: Progress) -> None:
        super().__init__(fixed_tokens, progress)
        self.fixed, self.sliding_window = fixed, fixed.sliding_window

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The kept end of the fixed context and the own tokens, ``[B, H, F + U, D]``."""
        own = super().update(key_states, value_states)
        batch = len(key_states)
        keys, values = (
            torch.cat([fixed.expand(batch, -1, -1, -1), plain(each)], dim=2)
            for fixed, each in zip((self.fixed.keys, self.fixed.values), own, strict=True)
        )
        return tag(keys, self), tag(values, self)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        kept = self.fixed.keys.shape[1]
        return kept + self.own_tokens() + query_length, self.fixed_tokens - kept

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
        logits: Logits,
    ) -> torch.Tensor:
        self.progress.take()
        fixed = self.fixed.keys.shape[1]
        if mask is not None:
            mask = mask[..., fixed:]
        seen, own = self.seen(mask, query.shape[2], keys.shape[2] - fixed, query.device)
        if own < keys.shape[2] - fixed:  # own tokens that no query's window reaches any more
            keys, values = (
                torch.cat([each[:, :, :fixed], each[:, :, -own:]], dim=2) for each in (keys, values)
            )
        return attention.dense(module, query, keys, values, seen, logits, is_causal=True)

    def seen(
        self, mask: torch.Tensor | None, length: int, own: int, device: torch.device
    ) -> tuple[torch.Tensor, int]:
        """Which kept and own tokens each query sees, boolean ``[B or 1, 1, L, F + U']``, and U'.

        Args:
            mask: over all ``own`` tokens, or ``None``. length: queries, the last own tokens.
        """
        window = self.fixed.sliding_window
        mine = own_mask(mask, length, own, window, device)
        before = fixed_mask(mine, self.fixed.keys.shape[1], window)
        return torch.cat([before, mine], dim=3), mine.shape[3]


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
