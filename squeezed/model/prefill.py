"""Offline step 1: dense prefill of the fixed context, keeping keys, values and window queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
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

from squeezed.errors import UnsupportedModelError
from squeezed.model import attention, families, finite, positions, recurrent, rope
from squeezed.model.layers import FULL, Attends, attends
from squeezed.model.logits import Logits
from squeezed.model.rotation import Rotation
from squeezed.model.scores import Followed
from squeezed.model.states import AnyLayer, HybridLayer, LayerStates, LocalLayer, widened
from squeezed.model.statistics import (
    ROTATED,
    Chunk,
    Collector,
    Probe,
    collectors,
)
from squeezed.model.tags import plain, stand_in, tag

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

PROBED = 7  # a position at which a single token is turned visibly, and far from wrapping around
CHUNK = 2048  # fixed-context tokens that a forward pass processes at least, where there are as many
# Bytes that a layer's activations may take in a pass (the KV cache is beside them). A single pass needs no
# mask and is the fastest: two of 2,048 tokens take 1.2 times as long as one of 4,096 (SmolLM2, CPU).
ACTIVATIONS = 1 << 28


class CaptureLayer(DynamicLayer):
    """A cache layer that attends densely and keeps the queries of the last ``window`` positions.

    What it keeps of keys and values is what the model attends to, which it may make from what it caches.
    Several decoder layers may attend to it, one after the other in each pass (shared keys and values).
    """

    sliding_window: int | None = None
    captures = True
    indexer_position_ids: torch.Tensor | None = None  # which a model's own indexer keeps here
    indexer_tokens = 0

    def __init__(
        self,
        total: int,
        window: int,
        collectors: Sequence[Collector] = (),
        followed: Followed | None = None,
    ) -> None:
        super().__init__()
        self.followed = followed
        self.first_captured = total - window
        self.collectors = collectors
        self.queries: list[list[torch.Tensor]] = []  # of each layer that attends, a part a pass
        self.turn = 0  # of the layers that attend in this pass
        self.logits = Logits(0.0)
        self.attended: tuple[torch.Tensor, torch.Tensor] | None = None  # in this pass
        self.last: tuple[torch.Tensor, torch.Tensor] | None = None  # a token of the pass before

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.turn, self.attended = 0, None
        keys, values = super().update(plain(key_states), plain(value_states))
        return tag(keys, self), tag(values, self)

    def update_indexer(self, indexer_key_states: torch.Tensor) -> torch.Tensor:
        """Stands in for the keys of a model's own indexer, which chooses all of so few tokens."""
        self.indexer_tokens += indexer_key_states.shape[1]
        return stand_in(indexer_key_states, self.indexer_tokens)

    def check(self, module: torch.nn.Module, *args: Any) -> None:
        """Nothing to check: the tokens are the context itself."""

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
        logits: Logits,
    ) -> torch.Tensor:
        """Dense attention of one chunk; ``query`` ``[B, Hq, L, D]``, result ``[B, L, Hq, Dv]``."""
        start = keys.shape[-2] - query.shape[-2]
        self._require_kept(module, keys, values, start)
        self.logits = logits
        if self.turn == len(self.queries):
            self.queries.append([])
        if start + query.shape[2] > self.first_captured:
            # A copy: a view would keep the queries of the whole pass, in every layer.
            part = query[0, :, max(0, self.first_captured - start) :].clone()
            self.queries[self.turn].append(part)
        for collector in self.collectors:
            collector.add(Chunk(module, query[0], keys[0], values[0], start, self.turn, logits))
        self.turn += 1
        return attention.dense(module, query, keys, values, mask, logits, is_causal=True)

    def _require_kept(
        self, module: torch.nn.Module, keys: torch.Tensor, values: torch.Tensor, start: int
    ) -> None:
        """Refuses keys and values that an index could not keep.

        Raises:
            UnsupportedModelError: their number is not the cache's, or those of the pass before have
                changed, so they are not made token by token; or a layer attends to several values of one key.
        """
        name = type(module).__name__
        if self.turn > 0:
            assert self.attended is not None
            for now, first in zip((keys, values), self.attended, strict=True):
                if now.data_ptr() != first.data_ptr() or now.shape != first.shape:
                    raise UnsupportedModelError(
                        f"{name} attends to several values of one key, of which an index keeps one"
                    )
            return
        changed = not keys.shape[2] == values.shape[2] == self.get_seq_length()
        if not changed and self.last is not None:
            before = (each[:, :, start - 1] for each in (keys, values))
            changed = not all(map(_alike, before, self.last))
        if changed:
            raise UnsupportedModelError(
                f"{name} makes keys and values behind the cache that are not each of one token"
            )
        self.attended = keys, values
        self.last = keys[:, :, -1].clone(), values[:, :, -1].clone()

    def states(self) -> LayerStates:
        """Everything captured, after the last chunk."""
        assert self.attended is not None
        (keys,), (values,) = self.attended
        size = max(keys.shape[-1], values.shape[-1])
        # Those of all layers that attend here, as if they were more query heads of each KV head.
        queries = [torch.cat(parts, dim=1).unflatten(0, (len(keys), -1)) for parts in self.queries]
        return LayerStates(
            widened(keys, size),
            widened(values, size),
            widened(torch.cat(queries, dim=1).flatten(0, 1), size),
            self.logits.scale,
            self.logits.softcap,
            {name: found for each in self.collectors for name, found in each.found().items()},
        )


class HybridCaptureLayer(CaptureLayer, LinearAttentionAndFullAttentionLayer):
    """The same of a layer that keeps recurrent states beside its keys."""

    def __init__(self, states: int, *capturing: Any) -> None:
        super().__init__(*capturing)
        LinearAttentionLayer.__init__(self, number_of_states=states)


PrefillLayer: TypeAlias = CacheLayerMixin | LinearAttentionCacheLayerMixin | DummyLayer


def _alike(now: torch.Tensor, before: torch.Tensor) -> bool:
    """Equal up to what a matrix product of another size may round differently in 16 bits."""
    return bool((now - before).abs().max() <= 0.05 * before.abs().max())


@torch.inference_mode()
def prefill(
    model: PreTrainedModel,
    ids: torch.Tensor,
    window: int,
    chunk: int | None = None,
    statistics: Sequence[str] = (),
) -> list[AnyLayer]:
    """Runs the model densely over the fixed context.

    Args:
        model: a causal LM whose attention is switched to the engine's.
        ids: token ids ``[N]``, ``N > window``. window: observation window W, in tokens.
        chunk: tokens a forward pass, ``None``: ``chunk_for``; all at once for models that forget their state
            between passes.
        statistics: names of those to collect on the way (``squeezed.model.statistics``).

    Returns:
        What each decoder layer computed: ``LayerStates`` for those that attend to everything, ``LocalLayer``
        for those with a sliding window or chunks, ``HybridLayer`` for those with a state beside,
        ``RecurrentLayer`` for those without keys of their own.

    Raises:
        UnsupportedModelError: the model's attention did not go through the engine, its RoPE makes keys that
            cannot be kept, or a context longer than its own indexer chooses. ValueError: the model has not
            that many positions. NonFiniteError: what a layer computed is not finite.
    """
    positions.require_within(model.config, len(ids))
    config = families.text_config(model)
    rope.require_one_length(config, len(ids), len(ids))
    kinds, stateful = attends(config), recurrent.has_states(config)
    chunk = chunk_for(model, kinds) if chunk is None else chunk
    restarts = stateful and recurrent.restarts(model, ids)
    states = int(getattr(config, "number_of_conv_states", 1))
    followed = None if families.calls_interface(model) else Followed(config)
    layers = [
        _layer(kind, (len(ids), window, collectors(statistics, model, len(ids)), followed), states)
        for kind in kinds
    ]
    if set(ROTATED) & set(statistics):
        _require_one_rotation(model, ids[:1], kinds, states, followed)
    cache = Cache(layers=layers)
    with rope.one_length(model, len(ids)):
        for start, stop in recurrent.passes(len(ids), len(ids) if restarts else chunk, stateful):
            part = ids[None, start:stop].to(model.device)
            where = recurrent.positions(model, start, stop) if stateful else {}
            model.base_model(input_ids=part, past_key_values=cache, use_cache=True, **where)
            attention.require_reached(model, all(_reached(layer) for layer in layers))
    states_of = [
        _states(layer, kind, len(ids), restarts) for layer, kind in zip(layers, kinds, strict=True)
    ]
    finite.require_finite_states(model, states_of)
    return states_of


def chunk_for(model: PreTrainedModel, kinds: Sequence[Attends]) -> int:
    """Tokens a forward pass, so that a layer's activations stay within ``ACTIVATIONS``; ``CHUNK`` at least.

    What the matrices of a layer give a token is about the layer's parameters over the model's width. Layers
    with a window gain nothing by longer passes: they would multiply, and mask, what is outside of it. Of
    other layers, of attention that models write out, and of packed weights, a token's memory is not known.
    """
    weights = [each for each in model.parameters() if each.ndim > 1]
    plain = all(kind.kind == FULL for kind in kinds) and families.calls_interface(model)
    if not plain or not all(each.is_floating_point() for each in weights):
        return CHUNK
    embedding = model.get_input_embeddings().weight
    numbers = (sum(each.numel() for each in weights) - embedding.numel()) / len(kinds)
    a_token = numbers / embedding.shape[1] * embedding.itemsize
    return max(CHUNK, int(ACTIVATIONS / max(1.0, a_token)))


def _require_one_rotation(
    model: PreTrainedModel,
    token: torch.Tensor,
    kinds: Sequence[Attends],
    states: int,
    followed: Followed | None,
) -> None:
    """Refuses a model of which a layer's queries before the rotary embedding cannot be told.

    A token that is alone attends to itself, wherever it stands: its queries differ by the rotary embedding
    only. So the same token at two positions shows whether it is undone rightly, layer by layer.

    Raises:
        UnsupportedModelError: so it is.
    """
    seen: list[list[tuple[torch.nn.Module, torch.Tensor]]] = []
    for place in (0, PROBED):
        probes = [Probe() for _ in kinds]
        layers = [
            _layer(kind, (1, 1, [probe], followed), states)
            for kind, probe in zip(kinds, probes, strict=True)
        ]
        model.base_model(
            input_ids=token[None].to(model.device),
            position_ids=torch.tensor([[place]], device=model.device),
            past_key_values=Cache(layers=layers),
            use_cache=True,
        )
        seen.append([each for probe in probes for each in probe.seen])
    rotation = Rotation(model)
    for (module, first), (_, later) in zip(*seen, strict=True):
        rotation.require_undone(module, first, later, PROBED)


def _layer(kind: Attends, capturing: tuple[Any, ...], states: int) -> PrefillLayer:
    """The cache layer that takes a decoder layer's keys or states.

    Args:
        capturing: what a ``CaptureLayer`` is made with. states: that a recurrent layer keeps, at most.
    """
    if kind.bare:
        return LinearAttentionLayer(number_of_states=states) if kind.stateful else DummyLayer()
    # Layers with a window need nothing from the engine: transformers' own keep what is in the window.
    if kind.window is None:
        return HybridCaptureLayer(states, *capturing) if kind.stateful else CaptureLayer(*capturing)
    if kind.stateful:
        return LinearAttentionAndSlidingWindowAttentionLayer(kind.window, number_of_states=states)
    return DynamicSlidingWindowLayer(kind.window)


def _reached(layer: PrefillLayer) -> bool:
    """Whether the layer's tokens were attended; one that has no keys belongs to no attention at all."""
    if isinstance(layer, CaptureLayer):
        return bool(layer.queries)
    return not isinstance(layer, CacheLayerMixin) or layer.keys is not None


def _states(layer: PrefillLayer, kind: Attends, total: int, restarts: bool) -> AnyLayer:
    if not kind.bare and not kind.stateful:
        return _attention(layer, kind, total)
    state = recurrent.state_of(layer, not kind.bare, restarts)
    return state if kind.bare else HybridLayer(_attention(layer, kind, total), state)


def _attention(layer: PrefillLayer, kind: Attends, total: int) -> LayerStates | LocalLayer:
    if isinstance(layer, CaptureLayer):
        return layer.states()
    assert kind.window is not None
    assert layer.keys is not None
    assert layer.values is not None
    kept = LocalLayer.kept(total, kind.window, kind.chunked)
    first = layer.keys.shape[2] - kept
    # Views of longer tensors: a copy lets go of the rest.
    keys, values = (each[0, :, first:].clone() for each in (layer.keys, layer.values))
    return LocalLayer(keys, values, kind.window, kind.chunked)
