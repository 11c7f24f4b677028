"""The cache of conversations on a fixed context: what ``model.generate`` takes as ``past_key_values``."""

from collections.abc import Mapping

from squeezed_kernels import resolve_backend
from transformers.cache_utils import Cache, CacheLayerMixin

from squeezed.cache.fixed import FixedContextLayer
from squeezed.cache.local import LocalContextLayer
from squeezed.cache.own_tokens import Progress
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Method
from squeezed.model.states import LocalLayer
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
    ) -> None:
        full = [
            FixedContextLayer(layer, selector, progress, backend)
            for layer, selector in zip(layers, selectors, strict=True)
        ]
        self.progress = progress
        self.reads = [layer.reads for layer in full]
        tokens, rest = layers[0].tokens, iter(full)
        own: list[CacheLayerMixin] = [
            LocalContextLayer(local[number], tokens, progress) if number in local else next(rest)
            for number in range(len(full) + len(local))
        ]
        super().__init__(layers=own)


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
    return FixedContextCache(context.layers, selectors, backend, progress, context.local)
