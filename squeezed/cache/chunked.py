"""Layers with chunked attention (Llama 4): a query sees the tokens of its own chunk, up to itself.

They keep the part of the fixed context that its last chunk has begun. A user input that begins a new chunk
does not see the fixed context there at all, as in the model.
"""

from typing import Any

import torch

from squeezed.cache.local import LocalContextLayer
from squeezed.cache.own_tokens import Progress
from squeezed.cache.placing import valid_tokens
from squeezed.model.states import LocalLayer


class ChunkedContextLayer(LocalContextLayer):
    """One chunked layer of a conversation's cache.

    transformers counts chunks over places in the batch, which differ from positions where user inputs are
    padded behind a fixed context; so the layer counts them itself, over the tokens that are no padding.
    """

    def __init__(self, fixed: LocalLayer, fixed_tokens: int, progress: Progress) -> None:
        super().__init__(fixed, fixed_tokens, progress)
        self.real: torch.Tensor | None = None  # own tokens that are no padding, boolean [B, U]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found = super().update(key_states, value_states)
        batch, new = key_states.shape[0], key_states.shape[2]
        every = torch.ones(batch, new, dtype=torch.bool, device=key_states.device)
        self.real = every if self.real is None else torch.cat([self.real, every], dim=1)
        return found

    def seen(
        self, mask: torch.Tensor | None, length: int, own: int, device: torch.device
    ) -> tuple[torch.Tensor, int]:
        assert self.real is not None
        valid = valid_tokens(mask)
        if valid is not None:
            self.real[:, own - length :] = valid
        chunk, kept = self.fixed.sliding_window, self.fixed.keys.shape[1]
        places = self.fixed_tokens - 1 + self.real.cumsum(1)  # of own tokens, [B, U]
        before = torch.arange(self.fixed_tokens - kept, self.fixed_tokens, device=device)
        places = torch.cat([before.expand(len(places), -1), places], dim=1)
        there = torch.nn.functional.pad(self.real, (kept, 0), value=True)
        queries = places[:, -length:, None]
        near = (queries // chunk == places[:, None] // chunk) & (queries >= places[:, None])
        return (near & there[:, None])[:, None], own

    def reset(self) -> None:
        super().reset()
        self.real = None

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        super().reorder_cache(beam_idx)
        if self.real is not None:
            self.real = self.real[beam_idx.to(self.real.device)]

    def crop(self, tokens_to_remove: int) -> None:
        super().crop(tokens_to_remove)
        if self.real is not None:
            self.real = self.real[:, : self.own_tokens()]
