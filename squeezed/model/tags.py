"""Keys and values that lead back to the cache layer they came from, and so does what a model makes of them.

Between its cache and its attention a model may still work on keys and values: expand compressed ones (latent
attention), repeat heads, join halves. ``Tagged`` is a tensor that passes its layer on to every result, so
that the attention function finds it, and the layer attends to what the model made, not to what it cached.
Where a model calls no attention function, the product of queries and keys begins it
(``squeezed.model.scores``).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from squeezed.model import scores


class Tagged(torch.Tensor):
    """A tensor that came out of a cache layer.

    Attributes:
        layer: the cache layer.
    """

    layer: Any = None

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        followed = scores.product(func, args, given)
        if followed is not None:
            return followed
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **given)
        layer = _first_layer([*args, *given.values()])
        return _tagged(result, layer) if layer is not None else result


def tag(states: torch.Tensor, layer: Any) -> torch.Tensor:
    """A view of keys or values that leads the registered attention function to ``layer``."""
    view = plain(states).view_as(states).as_subclass(Tagged)
    view.layer = layer
    return view


def layer_of(states: torch.Tensor) -> Any:
    """The cache layer that keys or values came from; ``None`` for those of any other cache."""
    return states.layer if isinstance(states, Tagged) else None


def plain(states: torch.Tensor) -> torch.Tensor:
    """The same tensor without its tag."""
    if not isinstance(states, Tagged):
        return states
    with torch._C.DisableTorchFunctionSubclass():
        return states.as_subclass(torch.Tensor)


def _first_layer(values: Iterable[Any]) -> Any:
    for value in values:
        if isinstance(value, Tagged):
            return value.layer
        if isinstance(value, (list, tuple)):
            found = _first_layer(value)
            if found is not None:
                return found
    return None


def _tagged(result: Any, layer: Any) -> Any:
    if isinstance(result, torch.Tensor):
        # What is written in place stays the same object.
        view = result if isinstance(result, Tagged) else result.as_subclass(Tagged)
        view.layer = layer
        return view
    if type(result) in (list, tuple):
        return type(result)(_tagged(each, layer) for each in result)
    return result


def stand_in(indexer_keys: torch.Tensor, tokens: int) -> torch.Tensor:
    """Something in the shape of the indexer keys ``[B, tokens, Di]`` of that many tokens, with no content."""
    return indexer_keys[:, :1].expand(-1, tokens, -1)
