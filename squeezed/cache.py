"""The cache of one conversation on a fixed context: what ``model.generate`` takes as ``past_key_values``."""

from typing import Any

import torch
from squeezed_kernels import attend, causal_mask, merge
from transformers.cache_utils import Cache, DynamicLayer

from squeezed.accounting import LayerReads
from squeezed.attention import tag
from squeezed.calibration import QuantileCurve
from squeezed.errors import UnsupportedModelError
from squeezed.index import LayerIndex
from squeezed.methods.base import Method


class Handover:
    """Notices keys that were handed to the model but never attended through the engine.

    On a model that runs another attention the user input would attend to itself alone: wrong, and silent.
    """

    def __init__(self) -> None:
        self.open = False

    def give(self) -> None:
        """A layer hands out its keys.

        Raises:
            UnsupportedModelError: the keys handed out before were not attended.
        """
        if self.open:
            raise UnsupportedModelError(
                "this cache holds a fixed context, but the model does not attend through the engine; call "
                'model.set_attn_implementation("squeezed") on it'
            )
        self.open = True

    def take(self) -> None:
        """The engine attends the keys handed out."""
        self.open = False


class FixedContextLayer(DynamicLayer):
    """One layer: the shared fixed context, and the keys and values of this conversation's own tokens.

    ``update`` returns only the new tokens' keys, tagged with this layer; the attention function calls
    ``attend``, which adds the fixed context's share. The fixed tensors are never copied or changed.
    """

    def __init__(
        self, fixed: LayerIndex, method: Method, curve: QuantileCurve, handover: Handover
    ) -> None:
        super().__init__()
        self.fixed, self.method, self.curve = fixed, method, curve
        self.reads = LayerReads()
        self.handover = handover

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.handover.give()
        keys, values = super().update(key_states, value_states)
        return tag(keys, self), values

    def own_tokens(self) -> int:
        """Tokens seen after the fixed context."""
        return int(super().get_seq_length())

    def get_seq_length(self) -> int:
        return self.fixed.tokens + self.own_tokens()

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        # The mask that transformers builds covers the own tokens only: all see the whole fixed context.
        return self.own_tokens() + query_length, self.fixed.tokens

    def attend(
        self, module: torch.nn.Module, query: torch.Tensor, mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """Attention over the selected fixed rows, the window and the own tokens (paper section 3.2).

        Args:
            module: unused, part of the protocol. query: ``[B, Hq, L, D]``. scale: softmax scale.
            mask: boolean ``[B, 1, L, U]`` over the own tokens, or ``None`` for plain causal.

        Returns:
            ``[B, L, Hq, D]`` in the query's dtype.
        """
        assert self.keys is not None
        assert self.values is not None
        self.handover.take()
        fixed = self.fixed
        selection = self.method.select(query, fixed, self.curve)
        if selection is None:
            rows = None
            count = torch.full((query.shape[0], fixed.heads), fixed.tokens, device=query.device)
            self.reads.add(count, 0, fixed.tokens)
        else:
            kept = selection.row_mask()
            window = kept.new_ones(*kept.shape[:2], fixed.window)
            rows = torch.cat([kept, window], dim=-1)[:, :, None]
            self.reads.add(selection.rows() + fixed.window, selection.centroids, fixed.tokens)
        from_fixed = attend(query, fixed.keys[None], fixed.values[None], rows, scale)
        if mask is None:
            mask = causal_mask(query.shape[2], self.keys.shape[2], query.device)
        from_own = attend(query, self.keys, self.values, mask, scale)
        output, _ = merge(from_fixed, from_own)
        return output.to(query.dtype).transpose(1, 2).contiguous()


class FixedContextCache(Cache):
    """A transformers cache whose first N tokens are a fixed context.

    Attributes:
        reads: what every layer read, for the measured KV budget.
    """

    def __init__(
        self, layers: tuple[LayerIndex, ...], method: Method, curve: QuantileCurve
    ) -> None:
        handed_out = Handover()
        own = [FixedContextLayer(layer, method, curve, handed_out) for layer in layers]
        self.reads = [layer.reads for layer in own]
        super().__init__(layers=own)
