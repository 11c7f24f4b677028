"""A fixed context as data: what every step after its clustering takes."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self, TypeVar

import torch

from squeezed.index.layer import LayerIndex
from squeezed.index.settings import Settings
from squeezed.model.states import LocalLayer, RecurrentLayer

Derived = TypeVar("Derived")


@dataclass(frozen=True)
class Context:
    """A long text that many user inputs share, prefilled and clustered once.

    Attributes:
        ids: its token ids, int64 ``[N]`` on the CPU.
        layers: one index for each layer that attends to the whole context, in the model's order.
        local: what the layers with a sliding window or chunks keep, by their number in the model.
        settings: what it was prepared with.
        model_fingerprint: of the model whose keys these are.
        samples: queries of sample user inputs, to calibrate on: for each layer, pairs of the user input's
            ``[Hq, L, D]`` and of the tokens generated after it ``[Hq, T, D]``. Empty: the observation window.
        calibrated_on: ``window`` or ``inputs``.
        recurrent: states of the layers that keep one, by their number in the model, and layers that keep no
            keys: they attend to another's, or not at all.
    """

    ids: torch.Tensor
    layers: tuple[LayerIndex, ...]
    settings: Settings
    model_fingerprint: str
    local: Mapping[int, LocalLayer] = field(default_factory=dict)
    samples: tuple[tuple[tuple[torch.Tensor, torch.Tensor], ...], ...] = ()
    calibrated_on: str = "window"
    recurrent: Mapping[int, RecurrentLayer] = field(default_factory=dict)
    _derived: dict[Hashable, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def tokens(self) -> int:
        """Fixed-context tokens N."""
        return len(self.ids)

    @property
    def kv_bytes(self) -> int:
        """Bytes of the fixed context's keys and values, in all layers that have an index."""
        return sum(t.nbytes for layer in self.layers for t in (layer.keys, layer.values))

    @property
    def state_bytes(self) -> int:
        """Bytes of the recurrent states; each conversation takes as much again."""
        return sum(state.nbytes for state in self.recurrent.values())

    @property
    def restarts(self) -> bool:
        """The model forgets its recurrent state in a pass of several tokens: they have to come one by one."""
        return any(state.restarts for state in self.recurrent.values())

    @property
    def derived(self) -> Mapping[Hashable, Any]:
        """What was derived so far, by its key, in the order of first use."""
        return MappingProxyType(self._derived)

    def derive(self, key: Hashable, build: Callable[[], Derived]) -> Derived:
        """Something computed from this context on first use and then kept in memory."""
        if key not in self._derived:
            self._derived[key] = build()
        return self._derived[key]

    def with_derived(self, found: Mapping[Any, Any]) -> Self:
        """This context, which now also keeps what was derived before, from another of the same content."""
        self._derived.update(found)
        return self
