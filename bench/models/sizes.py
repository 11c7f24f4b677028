"""Sizes that cannot be met on a context, told from its length and the model's shape, without the model.

The engine's own method is asked, on a layer that has the right shapes and no content.
"""

from dataclasses import dataclass
from typing import Any

import torch
from squeezed_kernels import centroid_dtype

import squeezed
from bench.config.method_settings import build_method
from bench.config.methods import described
from bench.config.spec import IndexSpec, MethodSpec, RunSpec
from bench.models.shapes import Shape, shape_of
from squeezed.index.layer import LayerIndex, Level


@dataclass(frozen=True)
class Outline:
    """A context as far as a size depends on it. ``layers``: all alike."""

    layers: tuple[LayerIndex, ...]


def obstacle(spec: RunSpec, tokens: int) -> str | None:
    """Why the run's size cannot be met on a context of so many tokens, or None as far as that can be told.

    Args:
        tokens: of the fixed context, N.
    """
    return size_obstacle(spec.method, spec.index, shape_of(spec.model), tokens)


def size_obstacle(
    asked_for: MethodSpec, index: IndexSpec, shape: Shape | None, tokens: int
) -> str | None:
    """The same of a method and an index, on a model of a shape (None: not known)."""
    method = described(asked_for.name)
    clustered = tokens - index.window
    if not method.indexed or clustered < 1:  # the engine has a message for a context that short
        return None
    asked = dict(asked_for.parameters)
    if method.clustered:
        empty = [share for share in index.levels if round(share * clustered) < 1]
        if empty:
            return (
                f"a level of {empty[0]:g} of {clustered} clustered tokens has no cluster; use a share of at "
                f"least {1 / clustered:.2g} in method.levels, or a smaller method.depth"
            )
    if asked.get("kv_tokens", 0) > tokens:
        return (
            f"kv_tokens is {asked['kv_tokens']}, and the context has {tokens} tokens; ask for fewer, or use "
            "method=full"
        )
    if shape is None or (asked.get("dense_layers") and not shape.alike):
        return None
    engine: Any = build_method(asked_for.name, asked_for.parameters)
    if not hasattr(engine, "size_of_layer"):
        return None
    layers = (_layer(tokens, index, shape),) * shape.layers
    try:
        engine.size_of_layer(Outline(layers), min(asked.get("dense_layers", 0), len(layers) - 1))
    except squeezed.BudgetError as error:
        return str(error)
    return None


def _layer(tokens: int, index: IndexSpec, shape: Shape) -> LayerIndex:
    """A layer of a context without its content: tensors of the right shapes and types."""
    dtype, heads = getattr(torch, shape.dtype), shape.kv_heads
    clustered = tokens - index.window

    def empty(*size: int, dtype: torch.dtype = dtype) -> torch.Tensor:
        return torch.empty(*size, dtype=dtype, device="meta")

    def level(share: float) -> Level:
        clusters = max(1, round(share * clustered))
        return Level(
            centroids=empty(heads, clusters, shape.head, dtype=centroid_dtype(dtype)),
            offsets=empty(heads, clusters + 1, dtype=torch.int32),
            counts=empty(heads, clusters, dtype=torch.int32),
        )

    return LayerIndex(
        keys=empty(heads, tokens, shape.head),
        values=empty(heads, tokens, shape.head),
        positions=empty(heads, clustered, dtype=torch.int32),
        levels=tuple(map(level, index.levels)),
        window=index.window,
        scale=1.0,
    )
