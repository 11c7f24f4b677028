"""The cache of conversations on a fixed context: what ``model.generate`` takes as ``past_key_values``."""

import sys
from collections.abc import Callable, Mapping, Sequence

import torch
from squeezed_kernels import resolve_backend
from transformers.cache_utils import Cache, CacheLayerMixin

from squeezed.cache import asking
from squeezed.cache.fixed import FixedContextLayer
from squeezed.cache.local import LocalContextLayer
from squeezed.cache.own_tokens import Progress
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Method
from squeezed.model.states import LocalLayer
from squeezed.selection.selectors import Selector


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
        ids: torch.Tensor,
        layers: tuple[LayerIndex, ...],
        bind: Callable[[], Sequence[Selector]],
        backend: str,
        progress: Progress,
        local: Mapping[int, LocalLayer],
    ) -> None:
        full = [
            FixedContextLayer(layer, selector, progress, backend)
            for layer, selector in zip(layers, bind(), strict=True)
        ]
        self._ids, self._bind, self._full = ids, bind, full
        self.progress = progress
        self.reads = [layer.reads for layer in full]
        tokens, rest = layers[0].tokens, iter(full)
        own: list[CacheLayerMixin] = [
            LocalContextLayer(local[number], tokens, progress) if number in local else next(rest)
            for number in range(len(full) + len(local))
        ]
        super().__init__(layers=own)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens seen, the fixed context's included.

        Raises:
            ValueError: ``generate`` asks, and is about to feed other tokens than those behind the context.
        """
        seen = super().get_seq_length(layer_idx)
        if not torch.compiler.is_compiling():
            asking.require_right(sys._getframe(1), self._ids, seen)
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
        """
        own = self._full[0].own_tokens()
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

    return FixedContextCache(context.ids, context.layers, bind, backend, Progress(), context.local)
