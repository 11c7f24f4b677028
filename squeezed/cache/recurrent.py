"""Layers with a recurrent state: each conversation goes on from a copy of what the fixed context left.

A state has one size however long the context is, and all of it is read at every step, so there is nothing to
squeeze: it is not part of the KV budget.
"""

from __future__ import annotations

import torch
from transformers.cache_utils import (
    DynamicLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionCacheLayerMixin,
    LinearAttentionLayer,
)

from squeezed.cache.fixed import FixedContextLayer
from squeezed.cache.local import LocalContextLayer
from squeezed.cache.own_tokens import Progress
from squeezed.errors import UnsupportedModelError
from squeezed.index.layer import LayerIndex
from squeezed.model.states import LocalLayer, RecurrentLayer
from squeezed.selection.selectors import Selector


class ConversationStates(LinearAttentionCacheLayerMixin):
    """The states of a batch of conversations in one layer; the fixed context's own are never changed.

    transformers changes them in place, at one token, or through ``update_conv_state`` and
    ``update_recurrent_state``. Until the batch is known there is a copy for one conversation.

    Attributes:
        context: what the fixed context left. conversations: how many have a copy.
    """

    is_croppable = False
    context: RecurrentLayer
    conversations: int

    def adopt(self, context: RecurrentLayer) -> None:
        """Starts from what the fixed context left."""
        numbers = [*context.conv, *context.recurrent]
        LinearAttentionLayer.__init__(self, number_of_states=max(numbers, default=0) + 1)
        self.context = context
        self.start(1)

    def start(self, batch: int) -> None:
        """A copy of the fixed context's states for each of ``batch`` conversations."""
        self.conversations = batch
        for number, state in self.context.conv.items():
            self.conv_states[number] = _copies(state, batch)
            self.conv_kernel_size[number] = state.shape[-1]
            self.is_conv_states_initialized[number] = self.has_previous_state[number] = True
            self.dtype, self.device = state.dtype, state.device
        for number, state in self.context.recurrent.items():
            self.recurrent_states[number] = _copies(state, batch)
            self.is_recurrent_states_initialized[number] = self.has_previous_state[number] = True
            self.device = state.device

    def reset(self) -> None:
        """Back to the end of the fixed context."""
        self.start(1)

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Takes over the states of these conversations, as beam search does."""
        self.conversations = len(beam_idx)
        for states in (self.conv_states, self.recurrent_states):
            for number, state in states.items():
                if state is not None:
                    states[number] = state.index_select(0, beam_idx.to(state.device))

    def crop(self, tokens_to_remove: int) -> None:
        """Refuses to take tokens back.

        Raises:
            UnsupportedModelError: ``tokens_to_remove`` is not 0.
        """
        if tokens_to_remove:
            raise irreversible()


def irreversible() -> UnsupportedModelError:
    """The error of whoever wants to take tokens back."""
    return UnsupportedModelError(
        "tokens cannot be taken back from a recurrent state; begin again with a new cache of the context"
    )


def _copies(state: torch.Tensor, batch: int) -> torch.Tensor:
    return state.expand(batch, *state.shape).clone(memory_format=torch.contiguous_format)


class RecurrentContextLayer(ConversationStates, LinearAttentionLayer):
    """A layer that keeps a state and no keys."""

    def __init__(self, state: RecurrentLayer) -> None:
        self.adopt(state)


class _StatesAndKeys(ConversationStates):
    """What is done to the states is done to the own tokens' keys and values as well."""

    def reset(self) -> None:
        super().reset()
        DynamicLayer.reset(self)

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        super().reorder_cache(beam_idx)
        DynamicLayer.reorder_cache(self, beam_idx)


class HybridContextLayer(_StatesAndKeys, FixedContextLayer, LinearAttentionAndFullAttentionLayer):
    """A layer that attends to the whole fixed context and keeps a state beside it."""

    def __init__(
        self,
        fixed: LayerIndex,
        selector: Selector,
        progress: Progress,
        backend: str,
        state: RecurrentLayer,
    ) -> None:
        FixedContextLayer.__init__(self, fixed, selector, progress, backend)
        self.adopt(state)


class HybridLocalLayer(_StatesAndKeys, LocalContextLayer, LinearAttentionLayer):
    """A layer with a sliding window that keeps a state beside it."""

    def __init__(
        self, fixed: LocalLayer, fixed_tokens: int, progress: Progress, state: RecurrentLayer
    ) -> None:
        LocalContextLayer.__init__(self, fixed, fixed_tokens, progress)
        self.adopt(state)
