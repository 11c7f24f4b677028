"""The calibrations of a context: each made on first use and then kept with it, also on disk."""

from collections.abc import Sequence

import torch

from squeezed.calibration.calibrate import calibrate
from squeezed.calibration.curves import Calibration
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex, singletons
from squeezed.index.settings import Conditions

Pair = tuple[Calibration, Calibration]


def calibrations(context: Context, conditions: Conditions) -> Pair:
    """Calibration for user inputs and for single tokens, if keys are scored like this.

    On the observation window the two are the same, as in the paper.

    Raises:
        ValueError: the queries to calibrate on were not kept.
    """
    return context.derive(conditions, lambda: _calibrate(context, context.layers, conditions))


def known_calibrations(context: Context) -> dict[Conditions, Pair]:
    """The calibrations that exist so far, by what the coarser levels do."""
    return {key: found for key, found in context.derived.items() if isinstance(key, Conditions)}


def exact_calibrations(context: Context, conditions: Conditions) -> Pair:
    """The same on the keys themselves instead of centroids, for methods that score every key.

    Raises:
        ValueError: the queries to calibrate on were not kept.
    """

    def build() -> Pair:
        return _calibrate(context, [singletons(layer) for layer in context.layers], conditions)

    return context.derive(("exact", conditions), build)


def index_bytes(context: Context) -> int:
    """Bytes of what the lookup reads beyond keys and values: centroids, offsets, positions, curves."""
    tensors = [t for layer in context.layers for t in layer.index_tensors()]
    # Window calibration is one for user inputs and for tokens; it counts once.
    found = {id(each): each for each in calibrations(context, context.settings.conditions)}
    tensors += [t for each in found.values() for t in each.tensors()]
    return sum(t.nbytes for t in tensors)


def _calibrate(context: Context, layers: Sequence[LayerIndex], conditions: Conditions) -> Pair:
    first, block = conditions.dense_layers, conditions.block
    layers = layers[first:]
    if context.samples:
        samples = context.samples[first:]
        inputs = [
            [part for asked, _ in layer for part in blocks(asked, block)] for layer in samples
        ]
        tokens = [
            [query for _, answer in layer for query in answer.split(1, dim=1)] for layer in samples
        ]
        return calibrate(layers, inputs, conditions), calibrate(layers, tokens, conditions)
    asked = (
        f"no calibration for {str(conditions) or 'these clusters'} is stored with this context, "
    )
    if context.calibrated_on != "window":
        raise ValueError(
            asked + "and its sample user inputs are not stored; call calibrate with them again"
        )
    queries = [layer.queries for layer in context.layers[first:]]
    if any(query is None for query in queries):
        raise ValueError(
            asked
            + "nor the queries to make one; call calibrate with sample user inputs, or prepare it with "
            "keep_queries=True"
        )
    parts = [blocks(query, block) for query in queries if query is not None]
    window = calibrate(layers, parts, conditions)
    return window, window


def blocks(query: torch.Tensor, block: int | None) -> tuple[torch.Tensor, ...]:
    """Queries ``[Hq, L, D]`` in blocks that are selected for together; the last block is a whole one."""
    if block is None:
        return (query,)
    first = query.shape[1] % block
    return tuple(
        part for part in (query[:, :first], *query[:, first:].split(block, dim=1)) if part.shape[1]
    )
