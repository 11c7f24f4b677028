"""The calibrations of a context: each made on first use and then kept with it, also on disk."""

from collections.abc import Sequence

from squeezed.calibration.calibrate import calibrate
from squeezed.calibration.curves import Calibration
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex, singletons
from squeezed.index.settings import Coarse

Pair = tuple[Calibration, Calibration]


def calibrations(context: Context, coarse: Coarse) -> Pair:
    """Calibration for user inputs and for single tokens, if the coarser levels do this.

    On the observation window the two are the same, as in the paper.

    Raises:
        ValueError: the queries to calibrate on were not kept.
    """
    return context.derive(coarse, lambda: _calibrate(context, context.layers, coarse))


def known_calibrations(context: Context) -> dict[Coarse, Pair]:
    """The calibrations that exist so far, by what the coarser levels do."""
    return {key: found for key, found in context.derived.items() if isinstance(key, Coarse)}


def exact_calibrations(context: Context) -> Pair:
    """The same on the keys themselves instead of centroids, for methods that score every key.

    Raises:
        ValueError: the queries to calibrate on were not kept.
    """

    def build() -> Pair:
        return _calibrate(context, [singletons(layer) for layer in context.layers], Coarse())

    return context.derive(("exact",), build)


def index_bytes(context: Context) -> int:
    """Bytes of what the lookup reads beyond keys and values: centroids, offsets, positions, curves."""
    tensors = [t for layer in context.layers for t in layer.index_tensors()]
    # Window calibration is one for user inputs and for tokens; it counts once.
    found = {id(each): each for each in calibrations(context, context.settings.coarse)}
    tensors += [t for each in found.values() for t in each.tensors()]
    return sum(t.nbytes for t in tensors)


def _calibrate(context: Context, layers: Sequence[LayerIndex], coarse: Coarse) -> Pair:
    if context.samples:
        inputs = [[sample[0] for sample in layer] for layer in context.samples]
        tokens = [
            [query for sample in layer for query in sample[1].split(1, dim=1)]
            for layer in context.samples
        ]
        return calibrate(layers, inputs, coarse), calibrate(layers, tokens, coarse)
    queries = [layer.queries for layer in context.layers]
    if context.calibrated_on != "window" or any(query is None for query in queries):
        raise ValueError(
            f"no calibration for coarse drops {coarse.drops} by {coarse.by} is stored with this context, "
            "nor the queries to make one; call calibrate with sample user inputs, or prepare it with "
            "keep_queries=True"
        )
    window = calibrate(layers, [[query] for query in queries if query is not None], coarse)
    return window, window
