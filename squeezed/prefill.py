"""Offline step 1: dense prefill of the fixed context, keeping keys, values and window queries."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from squeezed import attention
from squeezed.attention import tag

CHUNK = 2048  # fixed-context tokens a forward pass processes; bounds activations, not the KV cache


@dataclass(frozen=True)
class LayerStates:
    """What one layer computed for the fixed context.

    Attributes:
        keys: after RoPE, ``[H, N, D]``. values: ``[H, N, D]``.
        queries: of the observation window, ``[Hq, W, D]``.
        scale: softmax scale of the layer.
    """

    keys: torch.Tensor
    values: torch.Tensor
    queries: torch.Tensor
    scale: float


class CaptureLayer(DynamicLayer):
    """A cache layer that attends densely and keeps the queries of the last ``window`` positions."""

    def __init__(self, total: int, window: int) -> None:
        super().__init__()
        self.first_captured = total - window
        self.queries: list[torch.Tensor] = []
        self.scale = 0.0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = super().update(key_states, value_states)
        return tag(keys, self), values

    def attend(
        self, module: torch.nn.Module, query: torch.Tensor, mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """Dense attention of one chunk; ``query`` ``[B, Hq, L, D]``, result ``[B, L, Hq, D]``."""
        assert self.keys is not None
        assert self.values is not None
        start = self.keys.shape[-2] - query.shape[-2]
        self.scale = scale
        self.queries.append(query[0, :, max(0, self.first_captured - start) :])
        return attention.dense(module, query, self.keys, self.values, mask, scale)

    def states(self) -> LayerStates:
        """Everything captured, after the last chunk."""
        assert self.keys is not None
        assert self.values is not None
        return LayerStates(self.keys[0], self.values[0], torch.cat(self.queries, dim=1), self.scale)


@torch.inference_mode()
def prefill(
    model: PreTrainedModel, ids: torch.Tensor, window: int, chunk: int = CHUNK
) -> list[LayerStates]:
    """Runs the model densely over the fixed context.

    Args:
        model: a causal LM whose attention is switched to the engine's.
        ids: token ids ``[N]``, ``N > window``. window: observation window W, in tokens.
        chunk: tokens a forward pass.

    Returns:
        One ``LayerStates`` a layer.

    Raises:
        UnsupportedModelError: the model's attention did not go through the engine.
    """
    layers = [CaptureLayer(len(ids), window) for _ in range(attention.layer_count(model))]
    cache = Cache(layers=layers)
    for start in range(0, len(ids), chunk):
        part = ids[None, start : start + chunk].to(model.device)
        model.base_model(input_ids=part, past_key_values=cache, use_cache=True)
    attention.require_reached(model, all(layer.queries for layer in layers))
    return [layer.states() for layer in layers]
