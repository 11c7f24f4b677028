"""The steps that are timed: a pass of user inputs, and a token behind it, on one kind of cache.

A *server* answers on a context that it holds; ``floor`` holds none. Each step is one forward pass of the
model, as ``generate`` makes it, with all that a user pays for at that moment: a new cache of ours binds its
method.
"""

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


def servers(
    model: Any,
    ids: torch.Tensor,
    context: squeezed.FixedContext,
    methods: dict[str, squeezed.Method],
) -> dict[str, Server]:
    """Floor, transformers' own and ours, by name."""
    whole = DynamicCache()
    with torch.inference_mode(), using(model, OWN_ATTENTION):
        model(input_ids=ids[None].to(model.device), past_key_values=whole, logits_to_keep=1)

    def theirs(batch: int) -> DynamicCache:
        cache = DynamicCache()
        for number, layer in enumerate(whole.layers):
            assert layer.keys is not None
            assert layer.values is not None
            both = (
                each.expand(batch, -1, -1, -1).contiguous() for each in (layer.keys, layer.values)
            )
            cache.update(*both, number)
        return cache

    found = {
        FLOOR: Server(lambda batch: DynamicCache(), 0, OWN_ATTENTION),
        THEIRS: Server(theirs, len(ids), OWN_ATTENTION),
    }
    for name, method in methods.items():
        start = _ours(context, method)
        found[name] = Server(start, len(ids), attention.NAME)
    return found


def _ours(context: squeezed.FixedContext, method: squeezed.Method) -> Callable[[int], Any]:
    method.bind(context, "auto")  # what it works out of the context belongs to the context
    return lambda batch: context.cache(method)


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
    cache: Any = None
    fed: int = 0

    def ready(self) -> None:
        """Back to the context alone. Transformers' copies of it are made here, outside of what is timed, as a
        server would keep them."""
        if self.server.implementation == attention.NAME:
            self.cache = None
        elif self.cache is None:
            self.cache = self.server.start(len(self.inputs))
        else:
            self.cache.crop(-self.fed)
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
