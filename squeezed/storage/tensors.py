"""The tensors of a stored context: what each is called in the file, and what they are put together to."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from squeezed.calibration.curves import Calibration, LevelCurves
from squeezed.calibration.of_context import Pair, known_calibrations
from squeezed.context.data import Context
from squeezed.errors import IndexCorruptError
from squeezed.index.layer import LayerIndex, Level, cluster_counts, position_dtype
from squeezed.index.settings import Conditions, Settings
from squeezed.model.states import LocalLayer, RecurrentLayer
from squeezed.model.statistics import RECEIVED_ATTENTION
from squeezed.storage import integrity
from squeezed.storage.manifest import TENSORS, sha256


def to_tensors(context: Context, keys_values: bool) -> dict[str, torch.Tensor]:
    """Everything of a context that is stored, by name; with or without keys and values."""
    tensors = {"ids": context.ids}
    for i, calibrations in enumerate(known_calibrations(context).values()):
        for phase, calibration in zip(_phases(context.calibrated_on), calibrations, strict=False):
            prefix = f"calibration{i}.{phase}"
            tensors[f"{prefix}.mass"] = calibration.mass
            for j, curves in enumerate(calibration.levels):
                for name, curve in vars(curves).items():
                    tensors[f"{prefix}.level{j}.{name}"] = curve
    for i, layer in enumerate(context.layers):
        optional = {"queries": layer.queries}
        optional |= {f"statistic.{name}": each for name, each in layer.statistics.items()}
        if keys_values:
            optional |= {"keys": layer.keys, "values": layer.values}
        tensors[f"layer{i}.positions"] = layer.positions
        tensors |= {f"layer{i}.{k}": t for k, t in optional.items() if t is not None}
        for j, level in enumerate(layer.levels):
            tensors[f"layer{i}.level{j}.centroids"] = level.centroids
            tensors[f"layer{i}.level{j}.offsets"] = level.offsets
            if level.spread is not None:
                tensors[f"layer{i}.level{j}.spread"] = level.spread
    if keys_values:
        for number, local in context.local.items():
            tensors[f"local{number}.keys"] = local.keys
            tensors[f"local{number}.values"] = local.values
        for number, state in context.recurrent.items():
            tensors |= {f"recurrent{number}.conv{i}": each for i, each in state.conv.items()}
            tensors |= {f"recurrent{number}.state{i}": each for i, each in state.recurrent.items()}
    # Copies, because safetensors refuses tensors that share memory.
    return {name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}


def read_tensors(folder: Path, manifest: dict[str, Any]) -> dict[str, torch.Tensor]:
    """All tensors of an index folder, on the CPU.

    Raises:
        IndexCorruptError: the file is missing or its checksum differs.
    """
    path = folder / TENSORS
    if not path.is_file() or sha256(path) != manifest["sha256"]:
        raise IndexCorruptError(
            f"{path}: missing or its checksum differs; delete {folder} and prepare it again"
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise IndexCorruptError(f"{path}: {error}; prepare it again") from error


def layer_of(
    tensors: dict[str, torch.Tensor], number: int, entry: dict[str, Any], settings: Settings
) -> LayerIndex:
    """The index of layer ``number``; ``entry`` is the manifest's. Keys and values not stored are empty."""
    depth = len(settings.levels)
    prefix = f"layer{number}"
    offsets = tuple(tensors[f"{prefix}.level{j}.offsets"] for j in range(depth))
    integrity.check_offsets(offsets, tensors[f"{prefix}.positions"].shape[1])
    counts = cluster_counts(offsets)
    levels = tuple(
        Level(
            tensors[f"{prefix}.level{j}.centroids"],
            offsets[j],
            counts[j],
            tensors[f"{prefix}.level{j}.spread"] if j + 1 < depth else None,
        )
        for j in range(depth)
    )
    positions = tensors[f"{prefix}.positions"]
    # Earlier versions chose the type by the clustered tokens alone.
    positions = positions.to(position_dtype(positions.shape[1] + settings.window))
    nothing = torch.empty(len(positions), 0, levels[-1].centroids.shape[2])
    return LayerIndex(
        keys=tensors.get(f"{prefix}.keys", nothing),
        values=tensors.get(f"{prefix}.values", nothing),
        positions=positions,
        levels=levels,
        window=settings.window,
        scale=entry["scale"],
        softcap=entry["softcap"],
        queries=tensors.get(f"{prefix}.queries"),
        statistics={
            name: tensors[_statistic(tensors, prefix, name)] for name in settings.statistics
        },
    )


def _statistic(tensors: dict[str, torch.Tensor], prefix: str, name: str) -> str:
    """What a layer's statistic is called in the file; before there were several, it had another name."""
    older = f"{prefix}.accumulated"
    return (
        older if name == RECEIVED_ATTENTION and older in tensors else f"{prefix}.statistic.{name}"
    )


def local_of(tensors: dict[str, torch.Tensor], entry: dict[str, Any]) -> LocalLayer:
    """A layer with a sliding window or chunks, by its entry in the manifest."""
    prefix, nothing = f"local{entry['number']}", torch.empty(0, 0, 0)
    return LocalLayer(
        tensors.get(f"{prefix}.keys", nothing),
        tensors.get(f"{prefix}.values", nothing),
        entry["sliding_window"],
        entry.get("chunked", False),
    )


def recurrent_of(tensors: dict[str, torch.Tensor], entry: dict[str, Any]) -> RecurrentLayer:
    """A layer with a recurrent state, by its entry in the manifest; states not stored are empty."""
    prefix, nothing = f"recurrent{entry['number']}", torch.empty(0, 0)
    return RecurrentLayer(
        {i: tensors.get(f"{prefix}.conv{i}", nothing) for i in entry["conv"]},
        {i: tensors.get(f"{prefix}.state{i}", nothing) for i in entry["states"]},
        entry["attends"],
        entry["restarts"],
    )


def calibrations_of(
    tensors: dict[str, torch.Tensor], manifest: dict[str, Any], settings: Settings
) -> dict[Conditions, Pair]:
    """The calibrations, by what the coarser levels do, in the order of the manifest."""
    found: dict[Conditions, Pair] = {}
    for i, entry in enumerate(manifest["calibrations"]):
        conditions = Conditions(**(entry | {"drops": tuple(entry["drops"])}))
        phases = []
        for phase in _phases(manifest["calibrated_on"]):
            prefix = f"calibration{i}.{phase}"
            levels = tuple(
                LevelCurves(
                    *(tensors[f"{prefix}.level{j}.{name}"] for name in ("model", "layers", "heads"))
                )
                for j in range(len(settings.levels))
            )
            phases.append(Calibration(levels, tensors[f"{prefix}.mass"], conditions))
        found[conditions] = phases[0], phases[-1]
    return found


def _phases(calibrated_on: str) -> tuple[str, ...]:
    """What a calibration is made for; the window's serves user inputs and tokens alike."""
    return ("inputs",) if calibrated_on == "window" else ("inputs", "tokens")
