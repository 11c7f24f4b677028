"""What each decoder layer computed for the fixed context: keys, values, the window's queries, or a state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class LayerStates:
    """What one layer that attends to everything computed for the fixed context.

    Where keys and values differ in size (latent attention), zeros fill up the smaller, which changes nothing.

    Attributes:
        keys: after RoPE, ``[H, N, D]``. values: ``[H, N, D]``.
        queries: of the observation window, ``[Hq, W, D]``.
        scale: softmax scale of the layer. softcap: of its logits, if it has one.
        statistics: those of the prefill that were asked for, by name (``squeezed.model.statistics``).
    """

    keys: torch.Tensor
    values: torch.Tensor
    queries: torch.Tensor
    scale: float
    softcap: float | None = None
    statistics: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class LocalLayer:
    """What one sliding-window layer keeps of the fixed context.

    Attributes:
        keys, values: of the last F tokens in their order, as the model caches them, ``[H, F, D]`` (of latent
            attention compressed, and of two sizes); F is ``sliding_window - 1``, or N if the context is
            shorter.
        sliding_window: tokens that a query sees, itself included; or tokens of a chunk.
        chunked: a query sees what is in its own chunk; F is what the last chunk of the context has begun.
    """

    keys: torch.Tensor
    values: torch.Tensor
    sliding_window: int
    chunked: bool = False

    @staticmethod
    def kept(tokens: int, sliding_window: int, chunked: bool) -> int:
        """How many of the last tokens of a context are kept, F."""
        return tokens % sliding_window if chunked else min(tokens, sliding_window - 1)


@dataclass(frozen=True)
class RecurrentLayer:
    """What one layer with a recurrent state keeps of the fixed context, or one that keeps no keys at all.

    Attributes:
        conv: the last inputs of its convolutions, ``[channels, kernel]`` each, by transformers' number of the
            state. recurrent: its recurrent states, in the model's own shapes without the batch. Both are
            empty for a layer that is an MLP alone.
        attends: the layer keeps keys as well: it also has an index or a ``LocalLayer``.
        restarts: a pass of several tokens forgets the state, so that tokens have to come one by one.
    """

    conv: Mapping[int, torch.Tensor]
    recurrent: Mapping[int, torch.Tensor]
    attends: bool = False
    restarts: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of all states."""
        return sum(state.nbytes for part in (self.conv, self.recurrent) for state in part.values())

    def to(self, device: torch.device) -> "RecurrentLayer":
        """The same on a device."""
        conv, recurrent = (
            {number: state.to(device) for number, state in part.items()}
            for part in (self.conv, self.recurrent)
        )
        return RecurrentLayer(conv, recurrent, self.attends, self.restarts)


@dataclass(frozen=True)
class HybridLayer:
    """What a layer with attention and a recurrent state computed."""

    attention: LayerStates | LocalLayer
    state: RecurrentLayer


AnyLayer = LayerStates | LocalLayer | RecurrentLayer | HybridLayer


def sort_out(
    layers: Sequence[AnyLayer],
) -> tuple[list[LayerStates], dict[int, LocalLayer], dict[int, RecurrentLayer]]:
    """The layers of a prefill by what they become: an index, a sliding window, a recurrent state.

    Those of the first kind come in the model's order, the others by their number in the model.
    """
    full: list[LayerStates] = []
    local: dict[int, LocalLayer] = {}
    recurrent: dict[int, RecurrentLayer] = {}
    for number, layer in enumerate(layers):
        attention = layer.attention if isinstance(layer, HybridLayer) else layer
        state = layer.state if isinstance(layer, HybridLayer) else layer
        if isinstance(state, RecurrentLayer):
            recurrent[number] = state
        if isinstance(attention, LayerStates):
            full.append(attention)
        elif isinstance(attention, LocalLayer):
            local[number] = attention
    return full, local, recurrent


def widened(states: torch.Tensor, size: int) -> torch.Tensor:
    """Keys, values or queries ``[..., D]`` with zeros behind them up to ``size``."""
    missing = size - states.shape[-1]
    return torch.nn.functional.pad(states, (0, missing)) if missing else states
