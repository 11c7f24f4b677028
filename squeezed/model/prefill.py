"""Offline step 1: dense prefill of the fixed context, keeping keys, values and window queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from squeezed_kernels import capped, causal_mask
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionCacheLayerMixin,
    LinearAttentionLayer,
)

from squeezed.model import attention, families, positions, recurrent, rope
from squeezed.model.attention import tag
from squeezed.model.states import AnyLayer, HybridLayer, LayerStates, LocalLayer

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

    def check(self, module: torch.nn.Module, *args: Any) -> None:
        """Nothing to check: the tokens are the context itself."""

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


class HybridCaptureLayer(CaptureLayer, LinearAttentionAndFullAttentionLayer):
    """The same of a layer that keeps recurrent states beside its keys."""

    def __init__(self, total: int, window: int, accumulate: bool, states: int) -> None:
        super().__init__(total, window, accumulate)
        LinearAttentionLayer.__init__(self, number_of_states=states)


PrefillLayer: TypeAlias = CacheLayerMixin | LinearAttentionCacheLayerMixin | DummyLayer


@torch.inference_mode()
def prefill(
    model: PreTrainedModel,
    ids: torch.Tensor,
    window: int,
    chunk: int = CHUNK,
    accumulate: bool = False,
) -> list[AnyLayer]:
    """Runs the model densely over the fixed context.

    Args:
        model: a causal LM whose attention is switched to the engine's.
        ids: token ids ``[N]``, ``N > window``. window: observation window W, in tokens.
        chunk: tokens a forward pass; all at once for models that forget their state between passes.
        accumulate: sum up the attention that each key receives, which takes about as long as the prefill
            again.

    Returns:
        What each decoder layer computed: ``LayerStates`` for those that attend to everything, ``LocalLayer``
        for those with a sliding window, ``RecurrentLayer`` and ``HybridLayer`` for those with a state.

    Raises:
        UnsupportedModelError: the model's attention did not go through the engine, or its RoPE makes keys
            that cannot be kept. ValueError: the model has not that many positions.
    """
    positions.require_within(model.config, len(ids))
    config = families.text_config(model)
    rope.require_one_length(config, len(ids), len(ids))
    stateful = recurrent.has_states(config)
    restarts = stateful and recurrent.restarts(model, ids)
    layers = [
        _layer(model, number, (len(ids), window, accumulate))
        for number in range(families.layer_count(model))
    ]
    cache = Cache(layers=layers)
    with rope.one_length(model, len(ids)):
        for start, stop in recurrent.passes(len(ids), len(ids) if restarts else chunk, stateful):
            part = ids[None, start:stop].to(model.device)
            where = recurrent.positions(model, start, stop) if stateful else {}
            model.base_model(input_ids=part, past_key_values=cache, use_cache=True, **where)
            attention.require_reached(model, all(_reached(layer) for layer in layers))
    named = recurrent.recurrent_layers(config)
    return [_states(layer, named.get(n), restarts) for n, layer in enumerate(layers)]


def _layer(model: PreTrainedModel, number: int, size: tuple[int, int, bool]) -> PrefillLayer:
    """The cache layer that takes a decoder layer's keys or states; ``size``: of a ``CaptureLayer``."""
    config = families.text_config(model)
    # Layers with a sliding window need nothing from the engine: transformers' own keep what is in the window.
    sliding_window = families.sliding_windows(model)[number]
    attends = recurrent.recurrent_layers(config).get(number)
    if attends is None:
        if sliding_window is None:
            return CaptureLayer(*size)
        return DynamicSlidingWindowLayer(sliding_window)
    states = int(getattr(config, "number_of_conv_states", 1))
    if not attends:
        keeps = recurrent.kinds(config)[number] in recurrent.STATE_ONLY
        return LinearAttentionLayer(number_of_states=states) if keeps else DummyLayer()
    if sliding_window is None:
        return HybridCaptureLayer(*size, states)
    return LinearAttentionAndSlidingWindowAttentionLayer(sliding_window, number_of_states=states)


def _reached(layer: PrefillLayer) -> bool:
    """Whether the layer's tokens were attended; one that has no keys belongs to no attention at all."""
    if isinstance(layer, CaptureLayer):
        return bool(layer.queries)
    return not isinstance(layer, CacheLayerMixin) or layer.keys is not None


def _states(layer: PrefillLayer, attends: bool | None, restarts: bool) -> AnyLayer:
    if attends is None:
        return _attention(layer)
    state = recurrent.state_of(layer, attends, restarts)
    return HybridLayer(_attention(layer), state) if attends else state


def _attention(layer: PrefillLayer) -> LayerStates | LocalLayer:
    if isinstance(layer, CaptureLayer):
        return layer.states()
    assert isinstance(layer, DynamicSlidingWindowLayer)
    assert layer.keys is not None
    assert layer.values is not None
    # Views of longer tensors: a copy lets go of the rest.
    return LocalLayer(layer.keys[0].clone(), layer.values[0].clone(), layer.sliding_window)
