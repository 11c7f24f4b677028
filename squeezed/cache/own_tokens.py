"""What the layers of a conversation's cache have in common: the tokens after the fixed context."""

import abc
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from squeezed.errors import UnsupportedModelError
from squeezed.model.attention import tag


class Progress:
    """What all layers of one cache share about the forward pass under way.

    Attributes:
        open: keys were handed to the model and not yet attended through the engine.
        active: which members of the batch still generate, boolean ``[B]``; ``None``: all.
    """

    def __init__(self) -> None:
        self.open = False
        self.active: torch.Tensor | None = None

    def give(self) -> None:
        """A layer hands out its keys.

        Raises:
            UnsupportedModelError: the keys handed out before were not attended. On a model that runs another
                attention the user input would attend to itself alone: wrong, and silent.
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


class OwnTokensLayer(DynamicLayer):
    """A layer of N fixed tokens and, behind them, the keys and values of the conversations' own tokens.

    ``update`` returns only the own tokens' keys and values, tagged with this layer, and the mask covers only
    them; the attention function calls the layer's ``attend``, which adds the fixed context's share.
    """

    sliding_window: int | None = None

    def __init__(self, fixed_tokens: int, progress: Progress) -> None:
        super().__init__()
        self.fixed_tokens, self.progress = fixed_tokens, progress

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.progress.give()
        keys, values = super().update(key_states, value_states)
        return tag(keys, self), tag(values, self)

    def own_tokens(self) -> int:
        """Tokens seen after the fixed context."""
        return int(super().get_seq_length())

    def get_seq_length(self) -> int:
        return self.fixed_tokens + self.own_tokens()

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.own_tokens() + query_length, self.fixed_tokens

    @abc.abstractmethod
    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
        softcap: float | None,
    ) -> torch.Tensor:
        """Attention over the fixed context and the own tokens.

        Args:
            module: the model's attention module. query: ``[B, Hq, L, D]``. scale: softmax scale.
            mask: boolean ``[B, 1, L, U]`` over the own tokens, or ``None`` for plain causal.
            softcap: of the logits.

        Returns:
            ``[B, L, Hq, D]`` in the query's dtype.
        """
