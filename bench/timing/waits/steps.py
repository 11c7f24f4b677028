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
    """Attributes: ``start`` makes a cache for so many conversations, from the one of before (or ``None``);
    ``begin``: tokens that it then holds; ``implementation``: of the model's attention."""

    start: Callable[[int, Any], Any]
    begin: int
    implementation: str


def prefilled(model: Any, ids: torch.Tensor, chunk: int | None = None) -> DynamicCache:
    """Transformers' own cache of a context, filled in a single pass, or in passes of ``chunk`` tokens."""
    cache = DynamicCache(config=model.config)  # layers with a window keep no more than it
    with torch.inference_mode(), using(model, OWN_ATTENTION):
        for part in ids.to(model.device).split(chunk or len(ids)):
            model.base_model(input_ids=part[None], past_key_values=cache)
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

    def theirs(batch: int, before: Any) -> Any:
        cache = copy.copy(whole) if before is None else before
        cache.layers = list(cache.layers)
        # One after the other: the memory of a layer is used again for the next one, as in a conversation.
        for number, layer in enumerate(whole.layers):
            cache.layers[number] = _of_many(layer, batch)
        return cache

    found = {
        FLOOR: Server(lambda *_: DynamicCache(config=model.config), 0, OWN_ATTENTION),
        THEIRS: Server(theirs, length, OWN_ATTENTION),
    }
    for name, method in methods.items():
        start = _ours(context, method)
        found[name] = Server(start, length, attention.NAME)
    return found


def _ours(context: squeezed.FixedContext, method: squeezed.Method) -> Callable[[int, Any], Any]:
    method.bind(context, "auto")  # what it works out of the context belongs to the context
    return lambda *_: context.cache(method)


def _of_many(layer: Any, batch: int) -> Any:
    """A layer of a cache with the same keys and values for so many conversations, in memory of its own."""
    found = copy.copy(layer)  # a layer with a window also knows how many tokens it has seen
    found.keys, found.values = (
        each.expand(batch, -1, -1, -1).clone(memory_format=torch.contiguous_format)
        for each in (layer.keys, layer.values)
    )
    return found


@contextmanager
def using(model: Any, implementation: str) -> Iterator[None]:
    """Inside, the model attends by an implementation."""
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
    cache: Any = None
    fed: int = 0

    def ready(self) -> None:
        """Back to the context alone. Transformers' copies of it are made here, outside of what is timed, as a
        server would keep them."""
        ours = self.server.implementation == attention.NAME
        self.cache = None if ours else self.server.start(len(self.inputs), self.cache)
        self.fed = 0

    def ask(self) -> None:
        """The user inputs' pass; a cache of ours is made for it."""
        if self.cache is None:
            self.cache = self.server.start(len(self.inputs), None)
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
