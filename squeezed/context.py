"""A fixed context that is ready to be asked: its index, its calibration, and how to attach questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from squeezed import attention, fingerprint, storage
from squeezed.cache import FixedContextCache
from squeezed.calibration import QuantileCurve, calibrate
from squeezed.index import LayerIndex, build_layer, validate_levels
from squeezed.methods.base import Method
from squeezed.prefill import prefill

WINDOW = 100  # the paper's observation window, in tokens


@dataclass(frozen=True)
class FixedContext:
    """A long text that many user inputs share, prefilled and clustered once.

    Attributes:
        ids: its token ids, int64 ``[N]`` on the CPU.
        layers: one index a layer. curve: calibration of the thresholds.
        settings: ``levels``, ``window`` and ``seed`` it was prepared with.
        model_fingerprint: of the model whose keys these are.
    """

    ids: torch.Tensor
    layers: tuple[LayerIndex, ...]
    curve: QuantileCurve
    settings: storage.Settings
    model_fingerprint: str

    @property
    def tokens(self) -> int:
        """Fixed-context tokens N."""
        return len(self.ids)

    @property
    def kv_bytes(self) -> int:
        """Bytes of the fixed context's keys and values, all layers."""
        return sum(t.nbytes for layer in self.layers for t in (layer.keys, layer.values))

    @property
    def index_bytes(self) -> int:
        """Bytes of the index beyond keys and values: centroids, offsets, positions, calibration."""
        tensors = [self.curve.log_scores]
        for layer in self.layers:
            tensors.append(layer.positions)
            tensors += [t for level in layer.levels for t in (level.centroids, level.offsets)]
        return sum(t.nbytes for t in tensors)

    def cache(self, method: Method) -> FixedContextCache:
        """A new ``past_key_values`` that holds this context and attends to it by ``method``.

        Pass it with the whole sequence, ``model.generate(full_ids, past_key_values=cache)``, where
        ``full_ids`` begins with ``ids``. Use a cache for one conversation; keys and values of the fixed
        context are shared by all caches, not copied.
        """
        return FixedContextCache(self.layers, method, self.curve)

    def save(self, folder: str | Path) -> Path:
        """Writes the context to a folder, atomically and with checksums.

        Raises:
            OSError: the folder cannot be written or the disk is full; an older version stays intact.
        """
        return storage.save(
            Path(folder),
            storage.Stored(
                self.ids, self.layers, self.curve, self.settings, self.model_fingerprint
            ),
        )

    @classmethod
    def load(cls, folder: str | Path, *, model: PreTrainedModel) -> "FixedContext":
        """Reads a context that ``save`` wrote, for the same model.

        Raises:
            FileNotFoundError: no such folder.
            IndexCorruptError: a file is missing or damaged.
            IndexMismatchError: made for another model or by another format version.
        """
        attention.switch(model)
        stored = storage.load(Path(folder), fingerprint.of_model(model), model.device)
        return cls(
            stored.ids, stored.layers, stored.curve, stored.settings, stored.model_fingerprint
        )


def prepare(
    model: PreTrainedModel,
    context_ids: torch.Tensor | Sequence[int],
    levels: tuple[float, ...] = (0.05,),
    window: int = WINDOW,
    seed: int = 0,
) -> FixedContext:
    """Prefills a fixed context, clusters its keys and calibrates the thresholds (paper section 3.1).

    Switches the model's attention to the engine's, which is transformers' SDPA for every other cache.

    Args:
        model: a transformers causal LM.
        context_ids: token ids ``[N]`` or ``[1, N]``.
        levels: clusters as a share of the clustered keys.
        window: observation window W: the last W tokens stay unclustered and are always attended.
        seed: of the clustering.

    Raises:
        ValueError: levels out of range, or a context not longer than the window.
        UnsupportedModelError: the engine cannot reproduce this model's attention.
    """
    settings = storage.Settings(validate_levels(levels), window, seed)
    ids = check_ids(context_ids, window)
    attention.switch(model)
    states = prefill(model, ids, window)
    layers = tuple(build_layer(layer, settings.levels, window, seed) for layer in states)
    curve = calibrate(list(layers), [layer.queries for layer in states])
    return FixedContext(ids, layers, curve, settings, fingerprint.of_model(model))


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
