"""Attention that a model writes out, followed from the product of queries and keys to that with the values.

Older models do not call transformers' attention interface; they write ``softmax(q k / sqrt(d) + mask) v``.
Their keys come from the cache all the same, and lead back to its layer (``squeezed.model.tags``). So the
first product gives no tensor of scores but ``Scores``, which notes what is done to them: a scale, a mask, a
softmax. The product with the values then asks the layer for its attention, which is the same in one piece.
What is not known here is refused by name: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from squeezed_kernels import causal_mask

from squeezed.errors import UnsupportedModelError
from squeezed.model.logits import Logits

FAR = -1e4  # what is added to a score that is to get no weight; finite in float16 too
_OURS = "the model computes its attention by code of its own, which"


@dataclass(frozen=True)
class Followed:
    """What is known of the model whose own code is followed.

    Attributes:
        config: of its language model. positions: of the tokens of this pass, ``[B or 1, L]``, if they were
            given.
        padding: the mask of this pass ``[B, tokens so far]``, 0 for padding, if one was given.
    """

    config: Any
    positions: torch.Tensor | None = None
    padding: torch.Tensor | None = None


class OwnAttention(torch.nn.Module):
    """Stands for the attention module, which its own code does not name.

    Attributes:
        num_key_value_groups: query heads that share a KV head. config: of the language model.
    """

    is_causal = True

    def __init__(self, groups: int, config: Any) -> None:
        super().__init__()
        self.num_key_value_groups, self.config = groups, config


@dataclass(frozen=True)
class Steps:
    """What became of the product of queries and keys so far.

    Attributes:
        layer: the cache layer of the keys. query: ``[B, Hq, L, D]``. keys: ``[B, H, U, D]``.
        scale: what the products are multiplied by. mask: keys that a query sees, boolean
            ``[B or 1, 1, L, U]``; ``None``: all. weights: the softmax was taken.
    """

    layer: Any
    query: torch.Tensor
    keys: torch.Tensor
    scale: float = 1.0
    mask: torch.Tensor | None = None
    weights: bool = False


class Scores(torch.Tensor):
    """Scores or weights ``[B, Hq, L, U]`` or ``[B Hq, L, U]`` that are not computed; one number in memory.

    Attributes:
        steps: what they are.
    """

    steps: Steps

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Scores of shape {tuple(self.shape)}"

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _ASKED:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        step = _STEPS.get(getattr(func, "__name__", ""))
        if step is None:
            raise _refusal(f"does {getattr(func, '__name__', func)!r} to its scores")
        return step(*args, **(kwargs or {}))


def product(func: Callable[..., Any], args: Sequence[Any], given: dict[str, Any]) -> Any:
    """``Scores``, or the attention's output, if a call on tagged tensors begins or is one; else ``None``.

    Args:
        func, args, given: of ``__torch_function__``; keys and values carry the ``layer`` they came from.
    """
    name = getattr(func, "__name__", "")
    if name == "scaled_dot_product_attention":
        return _fused(*args, **given)
    if name not in ("matmul", "__matmul__", "bmm", "baddbmm"):
        return None
    added = None
    if name == "baddbmm":
        added = given.get("input", args[0] if args else None)
        args = [*args[1:], *(given[each] for each in ("batch1", "batch2") if each in given)]
    if len(args) < 2 or not _are_keys(args[0], args[1]) or args[1].layer.followed is None:
        return None
    layer, (query, keys) = args[1].layer, map(_plain, args[:2])
    keys = keys.transpose(-1, -2)
    kept = layer.keys  # models that compute scores in float32 convert what the cache holds
    by_head = [_by_head(each, len(kept)).to(kept.dtype) for each in (query, keys)]
    steps = Steps(layer, by_head[0], by_head[1])
    if name == "baddbmm":
        beta, alpha = given.get("beta", 1), given.get("alpha", 1)
        if beta and added is not None and bool(added.any()):
            raise _refusal("adds a bias to its scores")
        steps = replace(steps, scale=float(alpha))
    return _scores(steps, (*query.shape[:-1], keys.shape[-2]), query.dtype)


def _are_keys(query: Any, other: Any) -> bool:
    """Whether ``other`` holds keys of a cache layer ``[.., D, U]``, by its shape and the query's."""
    if isinstance(query, Scores) or getattr(query, "layer", None) is not None:
        return False
    layer, kept = getattr(other, "layer", None), None
    kept = getattr(layer, "keys", None)
    return (
        isinstance(query, torch.Tensor)
        and kept is not None
        and query.ndim == other.ndim in (3, 4)
        and query.shape[-1] == other.shape[-2] == kept.shape[-1]
        and other.shape[-1] == kept.shape[-2]
    )


def _fused(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """PyTorch's own function for the whole, called by the model."""
    layer = getattr(key, "layer", None)
    if layer is None or layer.followed is None or query.ndim != 4:
        return None
    query, keys = _plain(query), _plain(key)
    size = query.shape[-1] ** -0.5 if scale is None else scale
    steps = Steps(layer, query, keys, size, weights=True)
    if attn_mask is not None:
        steps = _masked(steps, attn_mask if attn_mask.dtype == torch.bool else _seen(attn_mask))
    return _attended(steps, value, is_causal)


# What models do between the two products. Each takes the arguments of the function of that name.


def _scaled(one: Any, other: Any) -> Scores:
    scores, factor = (one, other) if isinstance(one, Scores) else (other, one)
    return _multiplied(scores, factor)


def _divided(scores: Any, other: Any) -> Scores:
    if not isinstance(scores, Scores):
        raise _refusal("divides by its scores")
    return _multiplied(scores, 1.0 / _number(other))


def _multiplied(scores: Scores, factor: Any) -> Scores:
    number = _number(factor)
    if scores.steps.weights or not number > 0:
        raise _refusal("multiplies its weights")
    return _with(scores, scale=scores.steps.scale * number)


def _number(value: Any) -> float:
    if isinstance(value, torch.Tensor) and (isinstance(value, Scores) or value.numel() != 1):
        raise _refusal("multiplies single scores")
    return float(value)


def _added(one: Any, other: Any, *, alpha: float = 1) -> Scores:
    scores, mask = (one, other) if isinstance(one, Scores) else (other, one)
    if isinstance(mask, Scores) or not isinstance(mask, torch.Tensor) or alpha != 1:
        raise _refusal("adds to its scores what is no mask")
    return _hidden(scores, _seen(mask))


def _seen(mask: torch.Tensor) -> torch.Tensor:
    """The boolean mask of one that is added, which is 0 or far below all scores.

    Raises:
        UnsupportedModelError: it is anything else, so a bias.
    """
    seen = mask == 0
    if mask.dtype == torch.bool or not bool((seen | (mask <= FAR)).all()):
        raise _refusal("adds a bias to its scores")
    return seen


def _chosen(condition: torch.Tensor, one: Any, other: Any) -> Scores:
    if not isinstance(one, Scores):
        raise _refusal("replaces single scores")
    _require_far(other)
    return _hidden(one, condition)


def _filled(scores: Any, mask: torch.Tensor, value: Any) -> Scores:
    if not isinstance(scores, Scores):
        raise _refusal("masks by its scores")
    _require_far(value)
    return _hidden(scores, ~mask)


def _bounded(scores: Any, other: Any = None, *args: Any, **kwargs: Any) -> Scores:
    if not isinstance(scores, Scores) or not isinstance(other, torch.Tensor) or args or kwargs:
        raise _refusal("takes a maximum over its scores")
    _require_far(other)
    return scores


def _require_far(value: Any) -> None:
    if isinstance(value, Scores) or not _number(value) <= FAR:
        raise _refusal("replaces single scores")


def _hidden(scores: Scores, seen: torch.Tensor) -> Scores:
    if scores.steps.weights:
        raise _refusal("changes its weights behind the softmax")
    return _retyped(scores, _masked(scores.steps, seen))


def _masked(steps: Steps, seen: torch.Tensor) -> Steps:
    seen = seen[(None,) * (4 - seen.ndim)]
    if seen.shape[1] != 1:
        if not bool((seen == seen[:, :1]).all()):
            raise _refusal("masks each head in its own way")
        seen = seen[:, :1]
    return replace(steps, mask=seen if steps.mask is None else steps.mask & seen)


def _softmax(scores: Scores, dim: int | None = None, *args: Any, **kwargs: Any) -> Scores:
    dtype = kwargs.get("dtype")
    if scores.steps.weights or dim not in (-1, scores.ndim - 1):
        raise _refusal("takes a softmax of another kind")
    return _scores(replace(scores.steps, weights=True), scores.shape, dtype or scores.dtype)


def _dropped(
    scores: Scores, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Scores:
    if training and p:
        raise _refusal("drops some of its weights (the model is in training mode)")
    return scores


def _viewed(name: str) -> Callable[..., Scores]:
    def view(scores: Scores, *args: Any, **kwargs: Any) -> Scores:
        shape = getattr(torch.empty(scores.shape, device="meta"), name)(*args, **kwargs).shape
        batch, heads = scores.steps.query.shape[:2]
        if shape[-2:] != scores.shape[-2:] or shape[:-2] not in ((batch, heads), (batch * heads,)):
            raise _refusal(f"gives its scores the shape {tuple(shape)}")
        return _scores(scores.steps, shape, scores.dtype)

    return view


def _converted(name: str) -> Callable[..., Scores]:
    def convert(scores: Scores, *args: Any, **kwargs: Any) -> Scores:
        args = tuple(
            torch.empty(0, dtype=a.dtype) if isinstance(a, torch.Tensor) else a for a in args
        )
        dtype = getattr(torch.empty(0, dtype=scores.dtype), name)(*args, **kwargs).dtype
        return _scores(scores.steps, scores.shape, dtype)

    return convert


def _weighted(weights: Any, values: Any) -> torch.Tensor:
    if not isinstance(weights, Scores) or not weights.steps.weights:
        raise _refusal("multiplies its scores by something before a softmax")
    found = _attended(weights.steps, values, False)
    return found.flatten(0, 1) if weights.ndim == 3 else found


def _attended(steps: Steps, values: Any, causal: bool) -> torch.Tensor:
    """The layer's attention, ``[B, Hq, L, Dv]``."""
    if getattr(values, "layer", None) is not steps.layer:
        raise _refusal("attends to values that do not come from its cache")
    layer: Any = steps.layer
    (batch, heads, length, _), own = steps.query.shape, steps.keys.shape[2]
    if length > 1 and steps.mask is None and not causal:
        raise _refusal("attends in both directions; a causal LM is needed")
    if length > 1 and steps.mask is not None:
        before = causal_mask(length, own, steps.mask.device)
        # In the prefill nothing is padding, so nothing before a token may be hidden from it.
        differs = steps.mask != before if layer.captures else steps.mask & ~before
        if bool(differs.any()):
            raise _refusal("does not let a token see all tokens before it and no others")
        _require_padding(steps.mask, layer.followed.padding)
    module = OwnAttention(heads // steps.keys.shape[1], layer.followed.config)
    layer.check(module, length, steps.mask, layer.followed.positions)
    found = layer.attend(
        module,
        steps.query,
        steps.keys,
        _by_head(_plain(values), batch).to(steps.keys.dtype),
        steps.mask,
        Logits(steps.scale),
    )
    return found.transpose(1, 2).to(values.dtype)


def _require_padding(mask: torch.Tensor, padding: torch.Tensor | None) -> None:
    """Refuses a mask ``[B or 1, 1, L, U]`` that hides other tokens than the padding that was named."""
    if padding is None or padding.ndim != 2:
        return
    length, own = mask.shape[2:]
    real = mask[:, 0].diagonal(own - length, dim1=1, dim2=2)  # padding does not see itself
    if bool((real != padding[:, -length:].bool()).any()):
        raise _refusal(
            "hides other tokens than the padding of the user inputs, so that those of different lengths "
            "cannot be answered in one batch"
        )


def _scores(steps: Steps, shape: Sequence[int], dtype: torch.dtype) -> Scores:
    found = torch.empty((), dtype=dtype, device=steps.query.device).expand(*shape)
    scores = found.as_subclass(Scores)
    scores.steps = steps
    return scores


def _with(scores: Scores, **changes: Any) -> Scores:
    return _retyped(scores, replace(scores.steps, **changes))


def _retyped(scores: Scores, steps: Steps) -> Scores:
    return _scores(steps, scores.shape, scores.dtype)


def _by_head(states: torch.Tensor, batch: int) -> torch.Tensor:
    """``[B Hq, L, D]`` as ``[B, Hq, L, D]``, as it may be already."""
    return states.unflatten(0, (batch, -1)) if states.ndim == 3 else states


def _plain(states: torch.Tensor) -> torch.Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return states.as_subclass(torch.Tensor)


def _refusal(what: str) -> UnsupportedModelError:
    return UnsupportedModelError(f"{_OURS} {what}; the engine does not follow that")


_ASKED = {
    *(getattr(torch.Tensor, name).__get__ for name in ("shape", "dtype", "device", "ndim")),
    *(torch.Tensor.size, torch.Tensor.dim, torch.Tensor.__len__, torch.Tensor.numel),
    *(torch.Tensor.is_floating_point, torch.is_floating_point),
}
_STEPS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"), _scaled),
    **dict.fromkeys(("div", "div_", "__truediv__", "__itruediv__", "__idiv__"), _divided),
    **dict.fromkeys(("add", "add_", "__add__", "__radd__", "__iadd__"), _added),
    **dict.fromkeys(("masked_fill", "masked_fill_"), _filled),
    **dict.fromkeys(("max", "maximum"), _bounded),
    **{name: _viewed(name) for name in ("view", "reshape", "flatten", "unflatten")},
    **{name: _converted(name) for name in ("to", "type", "type_as", "float", "contiguous")},
    **dict.fromkeys(("matmul", "__matmul__", "bmm"), _weighted),
    "where": _chosen,
    "softmax": _softmax,
    "dropout": _dropped,
}
