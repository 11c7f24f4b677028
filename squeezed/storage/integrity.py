"""What a stored index must be, so that nothing that uses it reads out of bounds.

Checksums find what a disk has changed. This finds what was written wrongly, by another program or on purpose:
kernels take offsets and positions at their word. Everything is an ``IndexCorruptError`` that names the part.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from squeezed_kernels import REDUCTIONS, all_finite

from squeezed.calibration.curves import GRID, HEAD_GRID, MASS_GRID, Calibration
from squeezed.calibration.of_context import Pair
from squeezed.errors import IndexCorruptError
from squeezed.index.layer import LayerIndex
from squeezed.index.settings import Conditions, Settings, validate_levels
from squeezed.index.spread import COARSE_SCORES
from squeezed.model.states import LocalLayer, RecurrentLayer
from squeezed.model.statistics import STATISTICS

MOST_STATES = 64  # of one layer; the largest known is 4
FIELDS: dict[str, type] = {
    **{"model": str, "ids": str, "tokens": int, "settings": dict, "keys_values": bool},
    **{"kv_bytes": int, "dtype": str, "layers": list, "local": list, "calibrations": list},
    **{"calibrated_on": str, "sha256": str},
}


def require(holds: bool, part: str, wanted: str) -> None:
    """Raises ``IndexCorruptError`` unless a part is as wanted."""
    if not holds:
        raise IndexCorruptError(
            f"manifest and tensors do not fit together ({part}; expected {wanted}); prepare it again"
        )


def check_manifest(manifest: dict[str, Any]) -> None:
    """The fields of a manifest and their types."""
    for name, kind in FIELDS.items():
        value = manifest.get(name)
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        require(right, f"the manifest's {name} is {str(value)[:40]}", f"a {kind.__name__}")
    require(isinstance(manifest.get("recurrent", []), list), "recurrent", "a list")
    require(manifest["calibrated_on"] in ("window", "inputs"), "calibrated_on", "window or inputs")


def check_told(manifest: dict[str, Any], tokens: int, layers: Sequence[LayerIndex]) -> None:
    """That a manifest tells truly what the tensors hold, keys and values where they are stored."""
    told: dict[str, Any] = {"tokens": tokens}
    if manifest["keys_values"]:
        told["kv_bytes"] = sum(each.keys.nbytes + each.values.nbytes for each in layers)
        told["dtype"] = str(layers[0].keys.dtype).removeprefix("torch.")
    for name, value in told.items():
        require(manifest[name] == value, f"{name} {str(manifest[name])[:40]}", str(value))


def check_settings(settings: Settings) -> None:
    """Settings as ``prepare`` lets them through."""
    try:
        validate_levels(settings.levels)
    except (TypeError, ValueError) as error:
        raise IndexCorruptError(f"{error}; prepare it again") from error
    window = settings.window
    require(type(window) is int and window >= 1, f"window {window}", "at least 1")
    known = all(name in STATISTICS for name in settings.statistics)
    require(known, f"statistics {settings.statistics}", f"some of {', '.join(STATISTICS)}")


def check_offsets(offsets: Sequence[torch.Tensor], rows: int) -> None:
    """Offsets of all levels, coarse to fine: each level covers all of the next, the finest all rows."""
    below = [each.shape[-1] - 1 for each in offsets[1:]] + [rows]
    heads = offsets[0].shape[0] if offsets[0].ndim else 0
    for number, (each, total) in enumerate(zip(offsets, below, strict=True)):
        name = f"offsets of level {number}"
        require(each.ndim == 2 and len(each) == heads and each.shape[1] > 1, name, "[H, C + 1]")
        require(each.dtype == torch.int32, name, "int32")
        ends = bool((each[:, 0] == 0).all()) and bool((each[:, -1] == total).all())
        require(ends and bool((each.diff(dim=1) >= 0).all()), name, f"rising from 0 to {total}")


def check_layer(layer: LayerIndex, tokens: int, keys_values: bool) -> None:
    """One layer whose offsets are checked already."""
    positions = layer.positions
    heads, clustered = positions.shape
    size = layer.levels[-1].centroids.shape[-1]
    require(clustered == tokens - layer.window, "positions", f"{tokens - layer.window} rows")
    inside = bool(((positions >= 0) & (positions < clustered)).all())
    require(inside and positions.dtype in (torch.int16, torch.int32), "positions", "places")
    seen = torch.zeros(heads, clustered, dtype=torch.bool).scatter(1, positions.long(), True)
    require(bool(seen.all()), "positions", "each place once")
    for number, level in enumerate(layer.levels):
        wanted = (heads, level.offsets.shape[1] - 1, size)
        _shaped(level.centroids, wanted, f"centroids of level {number}")
        require(all_finite(level.centroids), f"centroids of level {number}", "finite")
        if level.spread is not None:
            _shaped(level.spread, wanted[:2], f"spread of level {number}")
            require(all_finite(level.spread), f"spread of level {number}", "finite")
    rows = tokens if keys_values else 0
    for name, tensor in (("keys", layer.keys), ("values", layer.values)):
        _shaped(tensor, (heads, rows, size), name)
        require(all_finite(tensor), name, "finite")
    require(layer.keys.dtype == layer.values.dtype, "values", "the type of the keys")
    if layer.queries is not None:
        query_heads = len(layer.queries) if layer.queries.ndim else 0
        require(
            query_heads > 0 and query_heads % heads == 0, "queries", f"a multiple of {heads} heads"
        )
        _shaped(layer.queries, (query_heads, layer.window, size), "queries")
        require(all_finite(layer.queries), "queries", "finite")
    for name, found in layer.statistics.items():
        wanted_heads: tuple[int, ...] = (heads, clustered)
        if not STATISTICS[name].by_key:
            require(
                found.ndim > 1 and len(found) % heads == 0, name, f"a multiple of {heads} heads"
            )
            wanted_heads = (len(found),)
        _shaped(found, (*wanted_heads, *[size] * STATISTICS[name].sizes), name)
        require(all_finite(found), name, "finite")
    scale = layer.scale
    require(_number(scale) and scale > 0, f"scale {scale}", "a finite number above 0")
    cap = layer.softcap
    require(
        cap is None or (_number(cap) and cap > 0), f"softcap {cap}", "a number above 0, or null"
    )


def check_local(layer: LocalLayer) -> None:
    """One layer with a sliding window."""
    window = layer.sliding_window
    require(type(window) is int and window >= 1, f"sliding window {window}", "at least 1 token")
    require(
        layer.keys.ndim == 3 and layer.keys.is_floating_point(), "a local layer's keys", "[H, F, D]"
    )
    require(type(layer.chunked) is bool, f"chunked {layer.chunked}", "true or false")
    # Of latent attention, as the model caches it, keys and values differ in size.
    wanted = (*layer.keys.shape[:-1], layer.values.shape[-1])
    _shaped(layer.values, wanted, "a local layer's values")
    for name, tensor in (("keys", layer.keys), ("values", layer.values)):
        require(all_finite(tensor), f"a local layer's {name}", "finite")


def check_recurrent(layer: RecurrentLayer, stored: bool) -> None:
    """One layer with a recurrent state; ``stored``: its states are in the file."""
    flags = (layer.attends, layer.restarts)
    require(all(type(flag) is bool for flag in flags), f"flags {flags}", "true or false")
    for part, least in ((layer.conv, 2), (layer.recurrent, 1)):
        for number, state in part.items():
            name = f"recurrent state {number}"
            require(type(number) is int and 0 <= number < MOST_STATES, name, "a small number")
            right = state.ndim >= least and state.is_floating_point()
            require(right and all_finite(state), name, "finite and of a floating type")
            require(not stored or state.numel() > 0, name, "not empty")


def check_states_told(
    tensors: Mapping[str, torch.Tensor], layers: Iterable[RecurrentLayer]
) -> None:
    """That a file holds no recurrent state that its manifest does not tell of."""
    held = sum(name.startswith("recurrent") for name in tensors)
    told = sum(len(layer.conv) + len(layer.recurrent) for layer in layers)
    require(held in (0, told), f"recurrent states: {held}", f"the {told} of the manifest")


def check_calibration(calibration: Calibration, layers: int, heads: int) -> None:
    """The curves of one calibration."""
    conditions = calibration.conditions
    dense, block = conditions.dense_layers, conditions.block
    require(
        type(dense) is int and 0 <= dense < layers, f"dense layers {dense}", f"0 to {layers - 1}"
    )
    require(block is None or (type(block) is int and block > 0), f"block {block}", "1 or more")
    require(conditions.reduce in REDUCTIONS, "reduce", " or ".join(REDUCTIONS))
    sparse = layers - dense
    _shaped(calibration.mass, (MASS_GRID + 1,), "the curve of masses")
    for curves in calibration.levels:
        _shaped(curves.model, (GRID + 1,), "the model's curve")
        _shaped(curves.layers, (sparse, HEAD_GRID + 1), "the layers' curves")
        _shaped(curves.heads, (sparse, heads, HEAD_GRID + 1), "the heads' curves")
    require(conditions.score in COARSE_SCORES, "a coarse score", " or ".join(COARSE_SCORES))
    drops = conditions.drops
    shares = all(_number(drop) and 0 <= drop < 1 for drop in drops)
    require(
        shares and len(drops) == len(calibration.levels) - 1,
        f"drops {drops}",
        "a share a coarser level",
    )


def require_finite(calibrations: Mapping[Conditions, Pair], doing: str) -> None:
    """Raises ``IndexCorruptError``, which names what was being done, if a threshold is not finite."""
    tensors = [t for pair in calibrations.values() for each in pair for t in each.tensors()]
    if not all(map(all_finite, tensors)):
        raise IndexCorruptError(f"refused to {doing}: a threshold is not finite")


def _shaped(tensor: torch.Tensor, shape: tuple[int, ...], name: str) -> None:
    right = tuple(tensor.shape) == shape and tensor.is_floating_point()
    require(right, f"{name} is {tensor.dtype} {tuple(tensor.shape)}", f"{shape} of a floating type")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
