"""Problems from the keys of a stored index: what a model computed, clustered as it is used.

The queries are those of the observation window that the index keeps, the last ones: the nearest to a question
that a context has. They ask at the end of the context, where a user input would. The conversation's own
tokens are played by the last keys. Thresholds keep the share that the sparsity asks for, one for all heads of
a layer, as on random keys; the index's own calibration is over all layers and on mean scores, so it keeps
other shares for each query (``squeezed-bench skew`` shows them).
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from squeezed_kernels import empty_table

from bench.config.errors import InputError
from bench.timing.kernels.problem import OWN, Level, Problem, with_thresholds
from bench.timing.kernels.settings import SPARSITY, Settings, Shape
from squeezed.index.layer import LayerIndex
from squeezed.storage.load import read_context
from squeezed.storage.manifest import read_manifest

TOKENS = (1,)  # query tokens where none are asked for: a decode step
SHORTEST = OWN + 1  # keys beyond the window that a problem needs


def planned(settings: Settings, device: torch.device) -> dict[Shape, Callable[[], Problem]]:
    """The shapes of all layers that are asked for, and what makes a problem of each.

    Raises:
        InputError: an index that cannot be timed as asked, or a layer, a depth or a number of query tokens
            that it does not have. IndexCorruptError: it is damaged. FileNotFoundError: it is not there.
    """
    plan: dict[Shape, Callable[[], Problem]] = {}
    for folder in settings.source:
        name, checksum, layers = _read(folder)
        for number in settings.layers or range(len(layers)):
            if not 0 <= number < len(layers):
                raise InputError(
                    f"layers has {number}; {folder} has {len(layers)} layers, from 0 to {len(layers) - 1}"
                )
            layer = layers[number]
            _require(folder, number, layer)
            for shape in _shapes(settings, folder, layer, (name, checksum, number)):
                plan[shape] = partial(problem, layer, shape, device)
    return plan


def problem(layer: LayerIndex, shape: Shape, device: torch.device) -> Problem:
    """A layer's keys and values, its ``shape.depth`` finest levels, and the window's last queries.

    All are brought to the shape's type; centroids stay as they are stored.
    """
    dtype = getattr(torch, shape.dtype)

    def table(rows: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        made = empty_table(*rows.shape, dtype=kind, device=device)
        return made.copy_(rows)  # aligned, as prepare leaves it

    assert layer.queries is not None  # planned has seen to it
    keys, values = table(layer.keys, dtype), table(layer.values, dtype)
    levels = tuple(
        Level(
            table(level.centroids, level.centroids.dtype),
            level.counts.to(device),
            level.offsets.to(device).contiguous(),
            -math.inf,
        )
        for level in layer.levels[-shape.depth :]
    )
    query = layer.queries[None, :, -shape.tokens :].to(device, dtype).contiguous()
    own = keys[None, :, -OWN:].contiguous()
    return with_thresholds(
        Problem(shape, query, keys, values, levels, own, layer.scale, layer.window)
    )


def _read(folder: Path) -> tuple[str, str, tuple[LayerIndex, ...]]:
    """Name, start of the checksum, and layers of a stored index, on the CPU."""
    manifest = read_manifest(folder)
    if not manifest["keys_values"]:
        raise InputError(f"{folder} holds no keys and values; save it with keys_values=True")
    context = read_context(folder, manifest)
    return folder.resolve().name, manifest["sha256"][:12], context.layers


def _require(folder: Path, number: int, layer: LayerIndex) -> None:
    """Raises InputError if a layer's attention cannot be compared with the dense providers'."""
    where = f"{folder}, layer {number}"
    if layer.queries is None:
        raise InputError(f"{where}: it kept no queries; prepare it with keep_queries=True")
    if layer.softcap is not None:
        raise InputError(
            f"{where}: its logits have a soft cap, which dense attention is not timed with"
        )
    if layer.clustered < SHORTEST:
        raise InputError(
            f"{where}: it has {layer.clustered} clustered keys; expected at least {SHORTEST}"
        )


def _shapes(
    settings: Settings, folder: Path, layer: LayerIndex, where: tuple[str, str, int]
) -> list[Shape]:
    assert layer.queries is not None
    window, depth = layer.queries.shape[1], len(layer.levels)
    for tokens in settings.query_tokens:
        if tokens > window:
            raise InputError(f"query_tokens is {tokens}; {folder} keeps queries of {window} tokens")
    for asked in settings.depth:
        if asked > depth:
            raise InputError(f"depth is {asked}; {folder} has {depth} level{'s'[: depth > 1]}")
    dtype = settings.dtype or str(layer.keys.dtype).removeprefix("torch.")
    heads = len(layer.queries), layer.heads
    source, label, number = where
    return [
        Shape(
            layer.tokens,
            *heads,
            layer.keys.shape[2],
            tokens,
            sparsity,
            levels,
            dtype,
            source,
            label,
            number,
        )
        for tokens in settings.query_tokens or TOKENS
        for sparsity in settings.sparsity or SPARSITY
        for levels in settings.depth or range(1, min(depth, 2) + 1)
    ]
