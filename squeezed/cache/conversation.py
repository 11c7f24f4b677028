"""The cache of conversations on a fixed context: what ``model.generate`` takes as ``past_key_values``."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch
from squeezed_kernels import resolve_backend
from transformers.cache_utils import Cache, CacheLayerMixin, DummyLayer

from squeezed.cache import asking, passes
from squeezed.cache.chunked import ChunkedContextLayer
from squeezed.cache.fixed import FixedContextLayer
from squeezed.cache.local import LocalContextLayer
from squeezed.cache.own_tokens import OwnTokensLayer, Progress
from squeezed.cache.recurrent import (
    ConversationStates,
    HybridContextLayer,
    HybridLocalLayer,
    RecurrentContextLayer,
    irreversible,
)
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import DENSE, Method
from squeezed.model.scores import Followed
from squeezed.model.states import LocalLayer, RecurrentLayer
from squeezed.selection.selectors import Selector

AnyLayer: TypeAlias = CacheLayerMixin | ConversationStates | DummyLayer


class FixedContextCache(Cache):
    """A transformers cache whose first N tokens are a fixed context, for one conversation or a batch of them.

    It refuses by name what ``generate`` would do wrongly with it (docs/generate.md).

    Attributes:
        reads: what every layer that has an index read, for the measured KV budget.
        progress: shared by the layers.
    """

    is_croppable = False  # what was read of a token stays counted when the token is removed

    def __init__(
        self,
        context: Context,
        bind: Callable[[], Sequence[Selector]],
        backend: str,
        *,
        dense_question: bool = False,
    ) -> None:
        """``bind`` makes the selectors of the layers that have an index, for one conversation."""
        self.progress = Progress(dense_question)
        indexed = iter(zip(context.layers, bind(), strict=True))
        silent = sum(not state.attends for state in context.recurrent.values())
        own = [
            self._layer(context, number, indexed, backend)
            for number in range(len(context.layers) + len(context.local) + silent)
        ]
        self._ids, self._bind = context.ids, bind
        self._full = [layer for layer in own if isinstance(layer, FixedContextLayer)]
        self.reads = [layer.reads for layer in self._full]
        self._stateful = [layer for layer in own if isinstance(layer, ConversationStates)]
        super().__init__(layers=own)

    def _layer(
        self,
        context: Context,
        number: int,
        indexed: Iterator[tuple[LayerIndex, Selector]],
        backend: str,
    ) -> AnyLayer:
        state = context.recurrent.get(number)
        if state is not None and not state.attends:
            return RecurrentContextLayer(state) if state.nbytes else DummyLayer()
        if number in context.local:
            return _local_layer(context.local[number], context.tokens, self.progress, state)
        return _full_layer(*next(indexed), self.progress, backend, state)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens seen, the fixed context's included.

        Raises:
            ValueError: ``generate`` asks, and is about to feed other tokens than those behind the context.
        """
        seen = super().get_seq_length(layer_idx)
        if not torch.compiler.is_compiling():
            self.progress.asked |= asking.require_right(sys._getframe(1), self._ids, seen)
        return seen

    def reset(self) -> None:
        """Back to the fixed context alone, with nothing read and nothing selected."""
        super().reset()
        for layer in self._full:
            layer.reads.clear()
        self._begin()

    def crop(self, tokens_to_remove: int) -> None:
        """Removes own tokens, the last ones; what was read for them stays counted.

        Args:
            tokens_to_remove: their number, negative, as transformers gives it.

        Raises:
            ValueError: a positive number, or more tokens than there are behind the fixed context.
            UnsupportedModelError: the model has recurrent states, which cannot go back.
        """
        if self._stateful and tokens_to_remove:
            raise irreversible()
        own = self.own_tokens()
        if tokens_to_remove > 0 or -tokens_to_remove > own:
            raise ValueError(
                f"crop({tokens_to_remove}): give the number of tokens to remove, negative, and at most the "
                f"{own} behind the fixed context, which stays as it is"
            )
        super().crop(tokens_to_remove)
        if -tokens_to_remove == own:
            self._begin()
        self.progress.checked = None

    def _begin(self) -> None:
        self.progress.open, self.progress.active, self.progress.checked = False, None, None
        self.progress.asking = None
        for layer, selector in zip(self._full, self._bind(), strict=True):
            layer.selector = selector

    def activate_past_recording(self) -> None:
        """Refuses decoding with drafts, which asks for this before anything is fed.

        Raises:
            ValueError: always: transformers would then feed the whole sequence, the context once more.
        """
        raise ValueError(
            "assisted decoding and prompt lookup are refused on a fixed context: transformers feeds the "
            "tokens that the cache already holds a second time; generate without assistant_model, "
            "prompt_lookup_num_tokens and the like"
        )

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Refuses another size of the batch; as ``batch_select_indices``."""
        self._refuse_resize()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Refuses another size of the batch.

        Raises:
            ValueError: always: what was read is counted for each member from the first token on.
        """
        self._refuse_resize()

    def _refuse_resize(self) -> None:
        raise ValueError(
            "a cache of a fixed context keeps its batch: what was read is counted for each member from the "
            "first token on; repeat the input ids instead (num_return_sequences and num_beams do)"
        )

    def before_pass(self, batch: int, length: int, padded: bool) -> None:
        """Called before each forward pass of a model with recurrent states; see ``passes.meet``."""
        passes.meet(self._stateful, self.own_tokens() == 0, batch, length, padded)

    def follow(self, followed: Followed) -> None:
        """Called before each forward pass of a model whose own attention code is followed."""
        self.progress.followed = followed

    def own_tokens(self) -> int:
        """Tokens that followed the fixed context."""
        return next(each.own_tokens() for each in self.layers if isinstance(each, OwnTokensLayer))


def _full_layer(
    fixed: LayerIndex,
    selector: Selector,
    progress: Progress,
    backend: str,
    state: RecurrentLayer | None,
) -> FixedContextLayer:
    if state is None:
        return FixedContextLayer(fixed, selector, progress, backend)
    return HybridContextLayer(fixed, selector, progress, backend, state)


def _local_layer(
    fixed: LocalLayer, tokens: int, progress: Progress, state: RecurrentLayer | None
) -> LocalContextLayer:
    if state is None:
        kind = ChunkedContextLayer if fixed.chunked else LocalContextLayer
        return kind(fixed, tokens, progress)
    return HybridLocalLayer(fixed, tokens, progress, state)


def make_cache(context: Context, method: Method, *, backend: str = "auto") -> FixedContextCache:
    """A new ``past_key_values`` that holds a context and attends to it by ``method``.

    Keys and values of the fixed context are shared by all its caches, not copied.

    Args:
        method: which fixed rows are attended. backend: of the kernels: ``auto``, or a name.

    Raises:
        ValueError: the method cannot meet its size on this context, or an unknown backend.
    """
    for device in {layer.device for layer in context.layers}:
        resolve_backend(backend, device)

    def bind() -> Sequence[Selector]:
        return method.bind(context, backend)

    dense = method.question == DENSE
    return FixedContextCache(context, bind, backend, dense_question=dense)
