"""The fixed context as users of the package hold it, and how one is prepared.

``FixedContext`` is the data (``squeezed.context``) with the functions of the other rooms as methods. Nothing
inside the package takes it: each room takes the data, and only this module knows them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from squeezed.cache.conversation import FixedContextCache, make_cache
from squeezed.calibration import of_context
from squeezed.calibration.of_context import Pair
from squeezed.clustering import check_way
from squeezed.context import derived, host
from squeezed.context.data import Context
from squeezed.context.ids import check_ids, require_known
from squeezed.generation.observe import calibrate_on_inputs, own_pieces
from squeezed.generation.replay import require_room, with_replay
from squeezed.index.build import build_layers
from squeezed.index.settings import WINDOW, Conditions, Settings, validate_levels
from squeezed.methods.base import Method
from squeezed.model import attention, fingerprint
from squeezed.model.prefill import prefill
from squeezed.model.states import sort_out
from squeezed.model.statistics import REPLAY_ATTENTION, statistics_for
from squeezed.storage.load import load_context
from squeezed.storage.save import save_context

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel


class FixedContext(Context):
    """A long text that many user inputs share, prefilled and clustered once; fields as in ``Context``."""

    @classmethod
    def of(cls, context: Context) -> Self:
        """A context with this class's methods, and with all that was derived from it."""
        given = {each.name: getattr(context, each.name) for each in fields(context) if each.init}
        return cls(**given).with_derived(context.derived)

    @property
    def index_bytes(self) -> int:
        """Bytes of what the lookup reads beyond keys and values: centroids, offsets, positions, curves."""
        return of_context.index_bytes(self)

    def calibrations(self, conditions: Conditions) -> Pair:
        """Calibration for user inputs and for single tokens, if keys are scored like this.

        On the observation window the two are the same, as in the paper.

        Raises:
            ValueError: the queries to calibrate on were not kept.
        """
        return of_context.calibrations(self, conditions)

    def known_calibrations(self) -> dict[Conditions, Pair]:
        """The calibrations that exist so far, by what the coarser levels do."""
        return of_context.known_calibrations(self)

    def exact_calibrations(self, conditions: Conditions) -> Pair:
        """The same on the keys themselves instead of centroids, for methods that score every key."""
        return of_context.exact_calibrations(self, conditions)

    def mean_values(self, number: int) -> tuple[torch.Tensor, ...]:
        """Mean value of each cluster of a layer, ``[H, C, D]`` for each level."""
        return derived.mean_values(self, number)

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
        return make_cache(self, method, backend=backend)

    def calibrate(
        self, model: PreTrainedModel, inputs: Sequence[torch.Tensor], new_tokens: int = 16
    ) -> Self:
        """The same context with thresholds calibrated on sample user inputs instead of the window.

        Each input is answered with full attention; its queries and those of the generated tokens say what
        scores look like in use, for user inputs and for single tokens apart.

        Args:
            model: the context's model. inputs: token ids ``[L]`` each. new_tokens: generated for each.

        Raises:
            ValueError: no input. IndexMismatchError: the context belongs to another model.
        """
        return calibrate_on_inputs(self, model, inputs, new_tokens)

    def calibrate_on_itself(
        self, model: PreTrainedModel, pieces: int = 6, new_tokens: int = 16
    ) -> Self:
        """As ``calibrate``, on pieces of the document itself: nothing has to be known of the questions.

        Args:
            model: the context's model. pieces: of 25 tokens, evenly spaced. new_tokens: generated for each.

        Raises:
            ValueError: no piece. IndexMismatchError: as ``calibrate``.
        """
        return calibrate_on_inputs(self, model, own_pieces(self.ids, pieces), new_tokens)

    def require_model(self, model: PreTrainedModel) -> None:
        """Raises ``IndexMismatchError`` unless the context was prepared with this model."""
        fingerprint.require_model(model, self.model_fingerprint)

    def to_host(self) -> Self:
        """The same context with keys and values in host memory, pinned where there is a GPU.

        The index stays on its device; attention over the fixed rows is computed on the host. Layers with a
        sliding window stay where they are.
        """
        return host.to_host(self)

    def save(self, folder: str | Path, *, keys_values: bool = True) -> Path:
        """Writes the context to a folder, atomically and with checksums.

        Args:
            folder: replaced as a whole if it exists.
            keys_values: also write keys and values; without them ``load`` prefills the context again.

        Raises:
            OSError: the folder cannot be written or the disk is full; an older version stays intact.
        """
        return save_context(Path(folder), self, keys_values=keys_values)

    @classmethod
    def load(cls, folder: str | Path, *, model: PreTrainedModel) -> Self:
        """Reads a context that ``save`` wrote, for the same model.

        Raises:
            FileNotFoundError: no such folder.
            IndexCorruptError: a file is missing or damaged.
            IndexMismatchError: made for another model or by another format version.
        """
        return cls.of(load_context(Path(folder), model))


def prepare(
    model: PreTrainedModel,
    context_ids: torch.Tensor | Sequence[int],
    levels: tuple[float, ...] = (0.05,),
    window: int = WINDOW,
    seed: int = 0,
    *,
    strategy: str = "bottom-up",
    balance: float | None = None,
    statistics: Sequence[str] = (),
    keep_queries: bool = True,
    chunk: int | None = None,
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
        statistics: of the prefill, by name, that methods need beyond keys and values (``statistics_for`` of
            their ``needs``); kept and stored with the index.
        keep_queries: keep the window's queries, for calibrations at other coarse drops and for methods that
            observe them.
        chunk: tokens that one forward pass of the prefill processes; ``None``: as many as 256 MiB of a
            layer's activations allow, 2,048 at least.

    Raises:
        ValueError: levels out of range, an unknown strategy or statistic, a cap below 1, a context not longer
            than the window, or token ids that the model does not know.
        NonFiniteError: the model computes NaN or infinity.
        UnsupportedModelError: the engine cannot reproduce this model's attention.
    """
    names = statistics_for(statistics)
    settings = Settings(validate_levels(levels), window, seed, strategy, balance, names)
    check_way(strategy, balance)
    ids = check_ids(context_ids, window)
    require_known(ids, model.config, "context_ids")
    if REPLAY_ATTENTION in names:
        require_room(model, len(ids))
    attention.switch(model)
    full, local, recurrent = sort_out(prefill(model, ids, window, chunk, names))
    layers = build_layers(full, settings.levels, window, seed, strategy=strategy, balance=balance)
    identity = fingerprint.of_model(model)
    context = FixedContext(ids, layers, settings, identity, local, recurrent=recurrent)
    if REPLAY_ATTENTION in names:
        context = with_replay(context, model)
    calibrations = context.calibrations(settings.conditions)
    if not keep_queries:
        without = tuple(replace(layer, queries=None) for layer in context.layers)
        context = replace(context, layers=without)
        context.derive(settings.conditions, lambda: calibrations)
    return context
