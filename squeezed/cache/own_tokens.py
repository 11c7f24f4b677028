"""What the layers of a conversation's cache have in common: the tokens after the fixed context."""

import abc
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from squeezed.cache.asking import require_seen
from squeezed.cache.placing import require_behind, valid_tokens
from squeezed.errors import UnsupportedModelError
from squeezed.model.logits import Logits
from squeezed.model.rope import require_one_length
from squeezed.model.scores import Followed
from squeezed.model.tags import plain, stand_in, tag


class Progress:
    """What all layers of one cache share about the forward pass under way.

    Attributes:
        open: keys were handed to the model and not yet attended through the engine.
        active: which members of the batch still generate, boolean ``[B]``; ``None``: all.
        checked: own tokens at the last check, so that one layer of a pass checks for all.
        asked: ``generate`` was seen to ask for the cache's length, and its ids are those of the context.
        followed: of the model of this pass, if its own attention code is followed.
        asking: the pass is the user input's; ``None``: not told, so one of several tokens or the first is.
        dense_question: the user input is attended with full attention.
    """

    def __init__(self, dense_question: bool = False) -> None:
        self.open, self.dense_question = False, dense_question
        self.asking: bool | None = None
        self.active: torch.Tensor | None = None
        self.checked: int | None = None
        self.asked = False
        self.followed: Followed | None = None

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

    def asks(self, length: int, own: int) -> bool:
        """Whether a pass of ``length`` tokens, the last of ``own``, is the user input's."""
        return length > 1 or length == own if self.asking is None else self.asking

    def take(self) -> None:
        """The engine attends the keys handed out."""
        self.open = False


class OwnTokensLayer(DynamicLayer):
    """A layer of N fixed tokens and, behind them, the keys and values of the conversations' own tokens.

    ``update`` returns only the own tokens' keys and values, tagged with this layer, and the mask covers only
    them; the attention function calls the layer's ``attend``, which adds the fixed context's share.
    """

    sliding_window: int | None = None
    captures = False
    indexer_position_ids: torch.Tensor | None = (
        None  # which a model's own indexer keeps here, [.., B, U]
    )
    indexer_tokens = 0

    def __init__(self, fixed_tokens: int, progress: Progress) -> None:
        super().__init__()
        self.fixed_tokens, self.progress = fixed_tokens, progress

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.progress.give()
        keys, values = super().update(plain(key_states), plain(value_states))
        return tag(keys, self), tag(values, self)

    def update_indexer(self, indexer_key_states: torch.Tensor) -> torch.Tensor:
        """Stands in for the keys of a model's own indexer ``[B, U, Di]``, which chooses all of so few tokens.

        What is chosen is not used (the attention function sees to it that all are), so neither are these.
        """
        # Counted here: indexers run before or after the layer gets the tokens' keys.
        self.indexer_tokens += indexer_key_states.shape[1]
        return stand_in(indexer_key_states, self.indexer_tokens)

    def reset(self) -> None:
        super().reset()
        self.indexer_position_ids, self.indexer_tokens = None, 0

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        super().reorder_cache(beam_idx)
        if self.indexer_position_ids is not None:
            places = beam_idx.to(self.indexer_position_ids.device)
            self.indexer_position_ids = self.indexer_position_ids.index_select(-2, places)

    def crop(self, tokens_to_remove: int) -> None:
        super().crop(tokens_to_remove)
        self.indexer_tokens = min(self.indexer_tokens, self.own_tokens())
        if self.indexer_position_ids is not None:
            self.indexer_position_ids = self.indexer_position_ids[..., : self.own_tokens()]

    def check(
        self,
        module: torch.nn.Module,
        length: int,
        mask: torch.Tensor | None,
        positions: torch.Tensor | None,
    ) -> None:
        """Refuses tokens of this pass that the fixed context's keys are not right for.

        Args:
            module: the model's attention module. length: query tokens L. mask: as for ``attend``.
            positions: ``[B or 1, L]``, where the model hands them down.

        Raises:
            ValueError: tokens stand inside the fixed context.
            UnsupportedModelError: the RoPE of this length would rotate the context's keys otherwise; or
                ``generate`` runs, and its ids could not be compared with the context.
        """
        own, progress = self.own_tokens(), self.progress
        if progress.checked == own:
            return
        progress.checked = own
        if own == length and not progress.asked:
            require_seen()
        config = getattr(module, "config", None)
        if config is not None:
            require_one_length(config, self.fixed_tokens, self.fixed_tokens + own)
        if length > 1 or length == own:  # not at every token: on a GPU it would wait for the device
            require_behind(positions, valid_tokens(mask), self.fixed_tokens)

    @property
    def followed(self) -> Followed | None:
        """Of the model of this pass, if its own attention code is followed (``squeezed.model.scores``)."""
        return self.progress.followed

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
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
        logits: Logits,
    ) -> torch.Tensor:
        """Attention over the fixed context and the own tokens.

        Args:
            module: the model's attention module. query: ``[B, Hq, L, D]``.
            keys, values: what the model made of those that ``update`` returned, ``[B, H, U, D]`` and
                ``[B, H, U, Dv]``.
            mask: boolean ``[B, 1, L, U]`` over the own tokens, or ``None`` for plain causal.
            logits: scale, cap and sinks.

        Returns:
            ``[B, L, Hq, Dv]`` in the query's dtype.
        """
