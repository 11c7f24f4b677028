"""What each decoder layer keeps of a token, by the configuration: keys that all, a window or a chunk see; a
recurrent state; both; or nothing.

Numbers may differ from layer to layer (a *heterogeneous* configuration raises when one global number is
read), so each is read from its own layer's configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
INDEXED = "indexed_attention"  # an indexer of its own chooses keys: all, while they are few
STATE_ONLY = ("linear_attention", "conv")  # a recurrent state and no keys
HYBRID, HYBRID_SLIDING = "hybrid", "hybrid_sliding"  # a recurrent state beside keys
NO_ATTENTION = ("moe", "mlp")  # an MLP alone
KINDS = (FULL, SLIDING, CHUNKED, INDEXED, *STATE_ONLY, HYBRID, HYBRID_SLIDING, *NO_ATTENTION)
REUSED = "reuse"  # of a layer that attends to another's keys and values


@dataclass(frozen=True)
class Attends:
    """What one decoder layer attends to.

    Attributes:
        kind: transformers' name for it. window: tokens a query sees, itself included, or tokens of a chunk;
            ``None``: everything.
        bare: the layer caches no keys: it attends to an earlier layer's keys and values, or not at all.
    """

    kind: str
    window: int | None = None
    bare: bool = False

    @property
    def indexed(self) -> bool:
        """It has keys of its own and attends to everything, so it gets an index."""
        return self.window is None and not self.bare

    @property
    def stateful(self) -> bool:
        """It keeps a recurrent state."""
        return self.kind in (*STATE_ONLY, HYBRID, HYBRID_SLIDING)

    @property
    def chunked(self) -> bool:
        """The window is a chunk: it begins anew at every multiple of its size."""
        return self.kind == CHUNKED and self.window is not None


def attends(config: PreTrainedConfig) -> tuple[Attends, ...]:
    """Of each decoder layer of a language model's configuration.

    A window that no position the model is made for can leave is none. (Some long-context models have one; the
    attention function watches that it is not left after all.)
    """
    layers = int(config.num_hidden_layers)
    each = [config.per_layer_config[number] for number in range(layers)]
    kinds = list(getattr(config, "layer_types", None) or map(_inferred, each))[:layers]
    sharing = list(getattr(config, "kv_sharing_modes", None) or ())
    bare = [kind in (*STATE_ONLY, *NO_ATTENTION) for kind in kinds]
    for number, mode in enumerate(sharing[:layers]):
        bare[number] |= mode == REUSED
    return tuple(
        Attends(kind, _window(own, kind), without)
        for own, kind, without in zip(each, kinds, bare, strict=True)
    )


def _inferred(config: PreTrainedConfig) -> str:
    """The kind of a layer whose configuration names none."""
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return SLIDING
    return CHUNKED if getattr(config, "attention_chunk_size", None) else FULL


def _window(config: PreTrainedConfig, kind: str) -> int | None:
    if kind not in (SLIDING, CHUNKED, HYBRID_SLIDING):
        return None
    name = "attention_chunk_size" if kind == CHUNKED else "sliding_window"
    window = getattr(config, name, None) or None
    longest = getattr(config, "max_position_embeddings", None)
    return None if window is not None and longest is not None and window >= longest else window
