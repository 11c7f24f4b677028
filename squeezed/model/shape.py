"""The sizes of what an index holds, by the configuration alone: heads and their size, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from squeezed.model.layers import attends

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Heads:
    """Of one layer that gets an index: query heads, KV heads, and the size of a key or a value in it."""

    query_heads: int
    kv_heads: int
    size: int


def indexed_heads(config: PreTrainedConfig) -> tuple[Heads, ...]:
    """Of each layer that attends to everything and has keys of its own, in the model's order.

    Args:
        config: of a language model.

    Raises:
        AttributeError: it does not say, as other models' do.
    """
    return tuple(
        _heads(config.per_layer_config[number], number)
        for number, layer in enumerate(attends(config))
        if layer.indexed
    )


def _heads(config: PreTrainedConfig, number: int) -> Heads:
    heads = int(config.num_attention_heads)
    if getattr(config, "kv_lora_rank", None):  # latent attention: expanded, for every head
        key = int(config.qk_nope_head_dim) + int(config.qk_rope_head_dim)
        return Heads(heads, heads, max(key, int(config.v_head_dim)))
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    if getattr(
        config, "multi_query", False
    ):  # one for all; Falcon's later form repeats it for each
        kv_heads = heads if getattr(config, "new_decoder_architecture", False) else 1
    if isinstance(kv_heads, (list, tuple)):
        kv_heads = kv_heads[number]
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Heads(heads, int(kv_heads), int(size))
