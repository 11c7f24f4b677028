"""The cache of conversations on a fixed context: what ``model.generate`` takes as ``past_key_values``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from squeezed_kernels import resolve_backend
from transformers.cache_utils import Cache, CacheLayerMixin, DummyLayer

from squeezed.cache import passes
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
from squeezed.methods.base import Method
from squeezed.model.states import LocalLayer, RecurrentLayer
from squeezed.selection.selectors import Selector


class FixedContextCache(Cache):
    """A transformers cache whose first N tokens are a fixed context.

    Attributes:
        reads: what every layer that has an index read, for the measured KV budget.
        progress: shared by the layers.
    """

    def __init__(
        self,
        layers: tuple[LayerIndex, ...],
        selectors: list[Selector],
        backend: str,
        progress: Progress,
        local: Mapping[int, LocalLayer],
        recurrent: Mapping[int, RecurrentLayer] = MappingProxyType({}),
    ) -> None:
        self.progress = progress
        tokens, indexed = layers[0].tokens, iter(zip(layers, selectors, strict=True))
        silent = sum(not state.attends for state in recurrent.values())
        own: list[AnyLayer] = []
        for number in range(len(layers) + len(local) + silent):
            state = recurrent.get(number)
            if state is not None and not state.attends:
                own.append(RecurrentContextLayer(state) if state.nbytes else DummyLayer())
            elif number in local:
                own.append(_local_layer(local[number], tokens, progress, state))
            else:
                own.append(_full_layer(*next(indexed), progress, backend, state))
        self.reads = [layer.reads for layer in own if isinstance(layer, FixedContextLayer)]
        self._stateful = [layer for layer in own if isinstance(layer, ConversationStates)]
        super().__init__(layers=own)

    def before_pass(self, batch: int, length: int, padded: bool) -> None:
        """Called before each forward pass of a model with recurrent states; see ``passes.meet``."""
        passes.meet(self._stateful, self.own_tokens() == 0, batch, length, padded)

    def own_tokens(self) -> int:
        """Tokens that followed the fixed context."""
        return next(each.own_tokens() for each in self.layers if isinstance(each, OwnTokensLayer))

    def crop(self, tokens_to_remove: int) -> None:
        """Takes the last ``-tokens_to_remove`` tokens back.

        Raises:
            UnsupportedModelError: the model has recurrent states, which cannot go back.
        """
        if self._stateful and tokens_to_remove:
            raise irreversible()
        super().crop(tokens_to_remove)


AnyLayer: TypeAlias = CacheLayerMixin | ConversationStates | DummyLayer


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
        return LocalContextLayer(fixed, tokens, progress)
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
    progress = Progress()
    selectors = list(method.bind(context, backend))
    return FixedContextCache(
        context.layers, selectors, backend, progress, context.local, context.recurrent
    )
