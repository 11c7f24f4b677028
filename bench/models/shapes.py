"""The shape of a model's attention, from its configuration alone."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import AutoConfig

from bench.config.spec import ModelSpec
from squeezed.model.layers import attends
from squeezed.model.shape import Heads, indexed_heads

ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Shape:
    """Of a model's layers that get an index: their number, query heads, KV heads and their size.

    ``alike``: every layer with attention has an index, and all are of one size.
    """

    layers: int
    query_heads: int
    kv_heads: int
    head: int
    dtype: str
    alike: bool = True

    @property
    def token_bytes(self) -> int:
        """Bytes of one token's keys and values, all layers and heads."""
        return 2 * self.layers * self.kv_heads * self.head * ITEM_BYTES[self.dtype]


@functools.cache
def shape_of(model: ModelSpec) -> Shape | None:
    """The model's shape from its configuration; None if that is not on this machine."""
    try:
        # Its own code is not needed to read numbers; a configuration that needs it stays unknown.
        config = AutoConfig.from_pretrained(
            model.source,
            trust_remote_code=False,
            local_files_only=True,
            revision=model.revision or "main",
        )
        return shape_in(config, model.dtype)
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return None


def shape_in(config: Any, dtype: str) -> Shape | None:
    """The shape that a configuration says; None if no layer gets an index.

    Raises:
        AttributeError, ValueError, TypeError, KeyError: it does not say, as other models' do.
    """
    text = config.get_text_config(decoder=True)
    dense = any(layer.window is not None for layer in attends(text))
    return together(indexed_heads(text), dtype, dense)


def together(layers: Sequence[Heads], dtype: str, dense: bool = False) -> Shape | None:
    """The shape of layers that get an index; where they differ, of one layer that holds as much as all.

    Args:
        layers: without those that slide, which keep no more than their window. dense: there are such layers.
    """
    if not layers:
        return None
    if len(set(layers)) == 1:
        one = layers[0]
        return Shape(len(layers), one.query_heads, one.kv_heads, one.size, dtype, not dense)
    size = math.gcd(*(each.size for each in layers))
    query_heads = sum(each.query_heads * each.size for each in layers) // size
    kv_heads = sum(each.kv_heads * each.size for each in layers) // size
    return Shape(1, query_heads, kv_heads, size, dtype, alike=False)
