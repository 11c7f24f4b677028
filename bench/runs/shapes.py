"""The shape of a model's attention, from its configuration alone."""

import functools
from dataclasses import dataclass

from transformers import AutoConfig

from bench.config.spec import ModelSpec
from squeezed.model.recurrent import without_attention

ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Shape:
    """Of a model's attention: layers that have one, query heads, KV heads and their size.

    ``alike``: every layer attends to the whole context, and so has an index.
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
            model.source, trust_remote_code=False, local_files_only=True
        ).get_text_config()
        heads = int(config.num_attention_heads)
        kv_heads = int(getattr(config, "num_key_value_heads", None) or heads)
        head = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        kinds = set(getattr(config, "layer_types", None) or ())
        alike = kinds <= {"full_attention"} and not getattr(config, "sliding_window", None)
        layers = int(config.num_hidden_layers) - len(without_attention(config))
        return Shape(layers, heads, kv_heads, head, model.dtype, alike)
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return None
