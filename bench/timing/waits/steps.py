"""The steps that are timed: a pass of user inputs, and a token behind it, on one kind of cache.

A *server* answers on a context that it holds; ``floor`` holds none. Each step is one forward pass of the
model, as ``generate`` makes it, with all that a user pays for at that moment: a new cache of ours binds its
method.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

import squeezed
from squeezed.model import attention

FLOOR, THEIRS = "floor", "transformers"
OWN_ATTENTION = "sdpa"


@dataclass(frozen=True)
class Server:
    """Attributes: ``start`` makes a cache for so many conversations; ``begin``: tokens that it then holds;
    ``implementation``: of the model's attention."""

    start: Callable[[int], Any]
    begin: int
    implementation: str


def prefilled(model: Any, ids: torch.Tensor) -> DynamicCache:
    """Transformers' own cache of a context, filled in a single pass."""
    cache = DynamicCache(config=model.config)  # layers with a window keep no more than it
    with torch.inference_mode(), using(model, OWN_ATTENTION):
        model.base_model(input_ids=ids[None].to(model.device), past_key_values=cache)
    return cache


def held(cache: DynamicCache) -> int:
    """Bytes of the keys and values in a cache."""
    return sum(each.nbytes for layer in cache.layers for each in (layer.keys, layer.values))


def servers(
    model: Any,
    whole: DynamicCache,
    context: squeezed.FixedContext,
    methods: dict[str, squeezed.Method],
) -> dict[str, Server]:
    """Floor, transformers' own on its cache of one conversation, and ours, by name."""
    length = whole.get_seq_length()

    def theirs(batch: int) -> DynamicCache:
        cache = _copied(whole)
        for layer in cache.layers:
            layer.keys = layer.keys.expand(batch, -1, -1, -1).contiguous()
            layer.values = layer.values.expand(batch, -1, -1, -1).contiguous()
        return cache

    found = {
        FLOOR: Server(lambda batch: DynamicCache(config=model.config), 0, OWN_ATTENTION),
        THEIRS: Server(theirs, length, OWN_ATTENTION),
    }
    for name, method in methods.items():
        start = _ours(context, method)
        found[name] = Server(start, length, attention.NAME)
    return found


def _ours(context: squeezed.FixedContext, method: squeezed.Method) -> Callable[[int], Any]:
    method.bind(context, "auto")  # what it works out of the context belongs to the context
    return lambda batch: context.cache(method)


def _copied(cache: DynamicCache) -> Any:
    """A cache that holds the same tensors. A layer puts new ones in their place and leaves them alone."""
    found = copy.copy(cache)
    found.layers = [copy.copy(layer) for layer in cache.layers]
    return found


@contextmanager
def using(model: Any, implementation: str) -> Iterator[None]:
    """Inside, the model attends by an implementation; switching is outside of what is timed."""
    if implementation == attention.NAME:
        attention.switch(model)
    else:
        model.set_attn_implementation(implementation)
    try:
        yield
    finally:
        attention.switch(model)


@dataclass
class Pass:
    """One server's conversations: ``ask`` feeds user inputs ``[B, L]`` to a new cache, ``step`` one token
    each to the cache that is there."""

    model: Any
    server: Server
    inputs: torch.Tensor
    kept: Any = None
    cache: Any = None
    fed: int = 0

    def ready(self) -> None:
        """Back to the context alone. Transformers' copies of it are made here, outside of what is timed, as a
        server would keep them."""
        self.cache = None
        if self.server.implementation != attention.NAME:
            if self.kept is None:
                self.kept = self.server.start(len(self.inputs))
            self.cache = _copied(self.kept)
        self.fed = 0

    def ask(self) -> None:
        """The user inputs' pass; a cache of ours is made for it."""
        if self.cache is None:
            self.cache = self.server.start(len(self.inputs))
        self._feed(self.inputs)

    def step(self) -> None:
        """A token's pass."""
        self._feed(self.inputs[:, :1])

    def _feed(self, ids: torch.Tensor) -> None:
        first = self.server.begin + self.fed
        places = torch.arange(first, first + ids.shape[1], device=ids.device)
        with torch.inference_mode():
            self.model(
                input_ids=ids,
                position_ids=places.expand_as(ids),
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self.fed += ids.shape[1]
