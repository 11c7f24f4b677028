"""Offline step 1: dense prefill of the fixed context, keeping keys, values and window queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from squeezed_kernels import capped, causal_mask
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

from squeezed.model import attention, families
from squeezed.model.attention import tag
from squeezed.model.states import LayerStates, LocalLayer

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

CHUNK = 2048  # fixed-context tokens a forward pass processes; bounds activations, not the KV cache
ACCUMULATE_BLOCK = 256  # queries whose attention weights are held at once while they are summed


class CaptureLayer(DynamicLayer):
    """A cache layer that attends densely and keeps the queries of the last ``window`` positions."""

    sliding_window: int | None = None

    def __init__(self, total: int, window: int, accumulate: bool = False) -> None:
        super().__init__()
        self.first_captured = total - window
        self.total, self.accumulate = total, accumulate
        self.queries: list[torch.Tensor] = []
        self.scale = 0.0
        self.softcap: float | None = None
        self.accumulated: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = super().update(key_states, value_states)
        return tag(keys, self), tag(values, self)

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
        softcap: float | None,
    ) -> torch.Tensor:
        """Dense attention of one chunk; ``query`` ``[B, Hq, L, D]``, result ``[B, L, Hq, D]``."""
        assert self.keys is not None
        assert self.values is not None
        start = self.keys.shape[-2] - query.shape[-2]
        self.scale, self.softcap = scale, softcap
        self.queries.append(query[0, :, max(0, self.first_captured - start) :])
        if self.accumulate:
            self._accumulate(query, start)
        return attention.dense(module, query, self.keys, self.values, mask, scale, softcap)

    def _accumulate(self, query: torch.Tensor, start: int) -> None:
        """Adds the attention weights of a chunk's queries, each over the keys up to itself."""
        assert self.keys is not None
        heads = self.keys.shape[1]
        if self.accumulated is None:
            self.accumulated = torch.zeros(heads, self.total, device=query.device)
        keys = self.keys[0].float()
        grouped = query[0].float().unflatten(0, (heads, -1))  # [H, G, L, D]
        for first in range(0, query.shape[2], ACCUMULATE_BLOCK):
            block = grouped[:, :, first : first + ACCUMULATE_BLOCK]
            seen = start + first + block.shape[2]
            logits = self.scale * block @ keys[:, None, :seen].transpose(2, 3)
            logits = capped(logits, self.softcap)
            causal = causal_mask(block.shape[2], seen, query.device)
            weights = logits.masked_fill(~causal, -torch.inf).softmax(-1)
            self.accumulated[:, :seen] += weights.mean(1).sum(1)

    def states(self) -> LayerStates:
        """Everything captured, after the last chunk."""
        assert self.keys is not None
        assert self.values is not None
        queries = torch.cat(self.queries, dim=1)
        return LayerStates(
            self.keys[0], self.values[0], queries, self.scale, self.softcap, self.accumulated
        )


@torch.inference_mode()
def prefill(
    model: PreTrainedModel,
    ids: torch.Tensor,
    window: int,
    chunk: int = CHUNK,
    accumulate: bool = False,
) -> list[LayerStates | LocalLayer]:
    """Runs the model densely over the fixed context.

    Args:
        model: a causal LM whose attention is switched to the engine's.
        ids: token ids ``[N]``, ``N > window``. window: observation window W, in tokens.
        chunk: tokens a forward pass. accumulate: sum up the attention that each key receives, which takes
            about as long as the prefill again.

    Returns:
        What each decoder layer computed: ``LocalLayer`` for those with a sliding window.

    Raises:
        UnsupportedModelError: the model's attention did not go through the engine.
    """
    # Layers with a sliding window need nothing from the engine: transformers' own keep what is in the window.
    layers: list[CacheLayerMixin] = [
        CaptureLayer(len(ids), window, accumulate)
        if sliding_window is None
        else DynamicSlidingWindowLayer(sliding_window)
        for sliding_window in families.sliding_windows(model)
    ]
    cache = Cache(layers=layers)
    for start in range(0, len(ids), chunk):
        part = ids[None, start : start + chunk].to(model.device)
        model.base_model(input_ids=part, past_key_values=cache, use_cache=True)
        attention.require_reached(model, all(_reached(layer) for layer in layers))
    return [_states(layer) for layer in layers]


def _reached(layer: CacheLayerMixin) -> bool:
    """Whether the layer's tokens were attended; one that has no keys belongs to no attention at all."""
    return bool(layer.queries) if isinstance(layer, CaptureLayer) else layer.keys is not None


def _states(layer: CacheLayerMixin) -> LayerStates | LocalLayer:
    if isinstance(layer, CaptureLayer):
        return layer.states()
    assert isinstance(layer, DynamicSlidingWindowLayer)
    assert layer.keys is not None
    assert layer.values is not None
    # Views of longer tensors: a copy lets go of the rest.
    return LocalLayer(layer.keys[0].clone(), layer.values[0].clone(), layer.sliding_window)
