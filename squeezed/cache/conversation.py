"""The cache of conversations on a fixed context: what ``model.generate`` takes as ``past_key_values``."""

from collections.abc import Iterator

from squeezed_kernels import resolve_backend
from transformers.cache_utils import Cache, CacheLayerMixin, DummyLayer

from squeezed.cache.chunked import ChunkedContextLayer
from squeezed.cache.fixed import FixedContextLayer
from squeezed.cache.local import LocalContextLayer
from squeezed.cache.own_tokens import Progress
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Method
from squeezed.selection.selectors import Selector


class FixedContextCache(Cache):
    """A transformers cache whose first N tokens are a fixed context.

    Attributes:
        reads: what every layer that has an index read, for the measured KV budget.
        progress: shared by the layers.
    """

    def __init__(self, context: Context, selectors: list[Selector], backend: str) -> None:
        self.progress = Progress()
        indexed = iter(zip(context.layers, selectors, strict=True))
        own = [
            self._layer(context, number, indexed, backend)
            for number in range(len(context.layers) + len(context.local) + len(context.bare))
        ]
        self.reads = [layer.reads for layer in own if isinstance(layer, FixedContextLayer)]
        super().__init__(layers=own)

    def _layer(
        self,
        context: Context,
        number: int,
        indexed: Iterator[tuple[LayerIndex, Selector]],
        backend: str,
    ) -> CacheLayerMixin | DummyLayer:
        if number in context.bare:
            return DummyLayer()
        local = context.local.get(number)
        if local is None:
            return FixedContextLayer(*next(indexed), self.progress, backend)
        kind = ChunkedContextLayer if local.chunked else LocalContextLayer
        return kind(local, context.tokens, self.progress)


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
    return FixedContextCache(context, list(method.bind(context, backend)), backend)
