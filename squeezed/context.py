"""A fixed context that is ready to be asked: its index, its calibration, and how to attach questions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from squeezed_kernels import resolve_backend

from squeezed import attention, families, fingerprint, storage
from squeezed.cache import FixedContextCache
from squeezed.calibration import Calibration, calibrate
from squeezed.clustering import segment_means
from squeezed.errors import IndexMismatchError
from squeezed.index import LayerIndex, Level, build_layer, validate_levels
from squeezed.local import LocalLayer
from squeezed.methods.base import Method
from squeezed.own_tokens import Progress
from squeezed.prefill import LayerStates, prefill
from squeezed.settings import WINDOW, Coarse, Settings

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

Derived = TypeVar("Derived")


@dataclass(frozen=True)
class FixedContext:
    """A long text that many user inputs share, prefilled and clustered once.

    Attributes:
        ids: its token ids, int64 ``[N]`` on the CPU.
        layers: one index for each layer that attends to the whole context, in the model's order.
        local: what the other layers, those with a sliding window, keep, by their number in the model.
        settings: what it was prepared with.
        model_fingerprint: of the model whose keys these are.
        samples: queries of sample user inputs, to calibrate on: for each layer, pairs of the user input's
            ``[Hq, L, D]`` and of the tokens generated after it ``[Hq, T, D]``. Empty: the observation window.
        calibrated_on: ``window`` or ``inputs``.
    """

    ids: torch.Tensor
    layers: tuple[LayerIndex, ...]
    settings: Settings
    model_fingerprint: str
    local: Mapping[int, LocalLayer] = field(default_factory=dict)
    samples: tuple[tuple[tuple[torch.Tensor, torch.Tensor], ...], ...] = ()
    calibrated_on: str = "window"
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
    def index_bytes(self) -> int:
        """Bytes of what the lookup reads beyond keys and values: centroids, offsets, positions, curves."""
        tensors = [t for layer in self.layers for t in layer.index_tensors()]
        # Window calibration is one for user inputs and for tokens; it counts once.
        calibrations = {id(each): each for each in self.calibrations(self.settings.coarse)}
        tensors += [t for each in calibrations.values() for t in each.tensors()]
        return sum(t.nbytes for t in tensors)

    def derive(self, key: Hashable, build: Callable[[], Derived]) -> Derived:
        """Something computed from this context on first use and then kept in memory."""
        if key not in self._derived:
            self._derived[key] = build()
        return self._derived[key]

    def calibrations(self, coarse: Coarse) -> tuple[Calibration, Calibration]:
        """Calibration for user inputs and for single tokens, if the coarser levels do this.

        On the observation window the two are the same, as in the paper.

        Raises:
            ValueError: the queries to calibrate on were not kept.
        """
        return self.derive(coarse, lambda: self._calibrate(self.layers, coarse))

    def known_calibrations(self) -> dict[Coarse, tuple[Calibration, Calibration]]:
        """The calibrations that exist so far, by what the coarser levels do."""
        return {key: found for key, found in self._derived.items() if isinstance(key, Coarse)}

    def exact_calibrations(self) -> tuple[Calibration, Calibration]:
        """The same on the keys themselves instead of centroids, for the oracle."""
        return self.derive(
            ("exact",),
            lambda: self._calibrate([singletons(layer) for layer in self.layers], Coarse()),
        )

    def mean_values(self, number: int) -> tuple[torch.Tensor, ...]:
        """Mean value of each cluster of a layer, ``[H, C, D]`` for each level."""
        layer = self.layers[number]

        def build() -> tuple[torch.Tensor, ...]:
            values = layer.values[:, : layer.clustered].to(layer.device)
            return tuple(
                segment_means(values, level.counts.long()).to(level.centroids.dtype)
                for level in layer.levels
            )

        return self.derive(("mean values", number), build)

    def _calibrate(
        self, layers: Sequence[LayerIndex], coarse: Coarse
    ) -> tuple[Calibration, Calibration]:
        if self.samples:
            inputs = [[sample[0] for sample in layer] for layer in self.samples]
            tokens = [
                [query for sample in layer for query in sample[1].split(1, dim=1)]
                for layer in self.samples
            ]
            return calibrate(layers, inputs, coarse), calibrate(layers, tokens, coarse)
        queries = [layer.queries for layer in self.layers]
        if self.calibrated_on != "window" or any(query is None for query in queries):
            raise ValueError(
                f"no calibration for coarse drops {coarse.drops} by {coarse.by} is stored with this context, "
                "nor the queries to make one; call calibrate with sample user inputs, or prepare it with "
                "keep_queries=True"
            )
        window = calibrate(layers, [[query] for query in queries if query is not None], coarse)
        return window, window

    def cache(self, method: Method, *, backend: str = "auto") -> FixedContextCache:
        """A new ``past_key_values`` that holds this context and attends to it by ``method``.

        Pass it with the whole sequence, ``model.generate(full_ids, past_key_values=cache)``, where
        ``full_ids`` begins with ``ids``. Use a cache for one conversation (or one batch of them); keys and
        values of the fixed context are shared by all caches, not copied.

        Args:
            method: which fixed rows are attended. backend: of the kernels: ``auto``, or a name.

        Raises:
            ValueError: the method cannot meet its size on this context, or an unknown backend.
        """
        for device in {layer.device for layer in self.layers}:
            resolve_backend(backend, device)
        progress = Progress()
        selectors = list(method.bind(self, backend))
        return FixedContextCache(self.layers, selectors, backend, progress, self.local)

    def calibrate(
        self, model: PreTrainedModel, inputs: Sequence[torch.Tensor], new_tokens: int = 16
    ) -> FixedContext:
        """The same context with thresholds calibrated on sample user inputs instead of the window.

        Each input is answered with full attention; its queries and those of the generated tokens say what
        scores look like in use, for user inputs and for single tokens apart.

        Args:
            model: the context's model. inputs: token ids ``[L]`` each. new_tokens: generated for each.

        Raises:
            ValueError: no input. IndexMismatchError: the context belongs to another model.
        """
        from squeezed.observe import observe  # it generates, and generation needs this module

        if not inputs:
            raise ValueError("inputs is empty; give at least one sample user input to calibrate on")
        self.require_model(model)
        samples = observe(model, self, inputs, new_tokens)
        return replace(self, samples=samples, calibrated_on="inputs")

    def require_model(self, model: PreTrainedModel) -> None:
        """Raises ``IndexMismatchError`` unless the context was prepared with this model."""
        if fingerprint.of_model(model) != self.model_fingerprint:
            raise IndexMismatchError(
                "the fixed context was prepared with another model than the one given"
            )

    def to_host(self) -> FixedContext:
        """The same context with keys and values in host memory, pinned where there is a GPU.

        The index stays on its device; attention over the fixed rows is computed on the host. Layers with a
        sliding window stay where they are.
        """

        def move(tensor: torch.Tensor) -> torch.Tensor:
            host = tensor.cpu()
            return host.pin_memory() if tensor.device.type == "cuda" else host

        layers = tuple(
            replace(layer, keys=move(layer.keys), values=move(layer.values))
            for layer in self.layers
        )
        moved = replace(self, layers=layers)
        # Calibrations may come from a file, without the queries to make them again.
        moved._derived.update(self._derived)
        return moved

    def save(self, folder: str | Path, *, keys_values: bool = True) -> Path:
        """Writes the context to a folder, atomically and with checksums.

        Args:
            folder: replaced as a whole if it exists.
            keys_values: also write keys and values; without them ``load`` prefills the context again.

        Raises:
            OSError: the folder cannot be written or the disk is full; an older version stays intact.
        """
        self.calibrations(self.settings.coarse)
        stored = storage.Stored(
            self.ids,
            self.layers,
            self.known_calibrations(),
            self.calibrated_on,
            self.settings,
            self.model_fingerprint,
            self.local,
        )
        return storage.save(Path(folder), stored, keys_values=keys_values)

    @classmethod
    def load(cls, folder: str | Path, *, model: PreTrainedModel) -> FixedContext:
        """Reads a context that ``save`` wrote, for the same model.

        Raises:
            FileNotFoundError: no such folder.
            IndexCorruptError: a file is missing or damaged.
            IndexMismatchError: made for another model or by another format version.
        """
        attention.switch(model)

        def states(ids: torch.Tensor, settings: Settings) -> list[LayerStates | LocalLayer]:
            return prefill(model, ids, settings.window, accumulate=settings.accumulate)

        of_model = fingerprint.of_model(model)
        places = [
            storage.Place(device, window)
            for device, window in zip(
                families.layer_devices(model), families.sliding_windows(model), strict=True
            )
        ]
        stored = storage.load(Path(folder), of_model, places, states)
        context = cls(
            stored.ids,
            stored.layers,
            stored.settings,
            of_model,
            stored.local,
            calibrated_on=stored.calibrated_on,
        )
        for coarse, calibrations in stored.calibrations.items():
            context._derived[coarse] = calibrations
        return context


def prepare(
    model: PreTrainedModel,
    context_ids: torch.Tensor | Sequence[int],
    levels: tuple[float, ...] = (0.05,),
    window: int = WINDOW,
    seed: int = 0,
    *,
    strategy: str = "bottom-up",
    balance: float | None = None,
    accumulate: bool = False,
    keep_queries: bool = True,
) -> FixedContext:
    """Prefills a fixed context, clusters its keys and calibrates the thresholds (paper section 3.1).

    Switches the model's attention to the engine's, which is transformers' own for every other cache.

    Args:
        model: a transformers causal LM.
        context_ids: token ids ``[N]`` or ``[1, N]``.
        levels: clusters as a share of the clustered keys, coarse to fine; their number is the depth.
        window: observation window W: the last W tokens stay unclustered and are always attended.
        seed: of the clustering.
        strategy: ``bottom-up`` (paper) clusters all keys, then the centroids; ``top-down`` clusters inside
            each coarse cluster, for contexts where flat K-means takes too long.
        balance: largest size of a cluster as a multiple of the mean; ``None``: free.
        accumulate: sum up the attention each key receives in the prefill, for ``H2O``.
        keep_queries: keep the window's queries, for calibrations at other coarse drops and for ``SnapKV``.

    Raises:
        ValueError: levels out of range, or a context not longer than the window.
        UnsupportedModelError: the engine cannot reproduce this model's attention.
    """
    settings = Settings(validate_levels(levels), window, seed, strategy, balance, accumulate)
    ids = check_ids(context_ids, window)
    attention.switch(model)
    states = prefill(model, ids, window, accumulate=accumulate)
    layers = tuple(
        build_layer(state, settings.levels, window, seed, strategy=strategy, balance=balance)
        for state in states
        if isinstance(state, LayerStates)
    )
    local = {number: state for number, state in enumerate(states) if isinstance(state, LocalLayer)}
    context = FixedContext(ids, layers, settings, fingerprint.of_model(model), local)
    context.calibrations(settings.coarse)
    if not keep_queries:
        calibrations = context.known_calibrations()
        bare = tuple(replace(layer, queries=None) for layer in layers)
        context = replace(context, layers=bare)
        context._derived[settings.coarse] = calibrations[settings.coarse]
    return context


def singletons(layer: LayerIndex) -> LayerIndex:
    """The layer with every key as a cluster of its own."""
    keys = layer.keys[:, : layer.clustered].to(layer.device)
    ones = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
    offsets = torch.nn.functional.pad(ones.cumsum(1), (1, 0)).int()
    return replace(layer, levels=(Level(keys, offsets, ones),))


def check_ids(context_ids: torch.Tensor | Sequence[int], window: int) -> torch.Tensor:
    """The ids as int64 ``[N]`` on the CPU.

    Raises:
        ValueError: a batch of several contexts, a window below 1, or N not larger than the window.
    """
    ids = torch.as_tensor(context_ids, dtype=torch.int64).cpu()
    if ids.ndim == 2 and ids.shape[0] == 1:
        ids = ids[0]
    if ids.ndim != 1:
        raise ValueError(
            f"context_ids has shape {tuple(ids.shape)}; expected [N] or [1, N]: one context"
        )
    if window < 1:
        raise ValueError(f"window is {window}; expected at least 1 token")
    if len(ids) <= window:
        raise ValueError(
            f"the fixed context has {len(ids)} tokens, not more than the observation window of {window}; "
            "give a longer context or a smaller window"
        )
    return ids
