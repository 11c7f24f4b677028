"""A fixed context on disk: one safetensors file and a JSON manifest with its checksum.

The manifest is what makes a folder an index; it names the format version, the model, the token ids and the
settings. A folder appears whole or not at all.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from squeezed import fingerprint, integrity
from squeezed.calibration import Calibration, LevelCurves
from squeezed.errors import IndexCorruptError, IndexMismatchError
from squeezed.index import LayerIndex, Level, cluster_counts, in_cluster_order
from squeezed.local import LocalLayer
from squeezed.prefill import LayerStates
from squeezed.settings import Coarse, Settings

FORMAT_VERSION = 3
MANIFEST, TENSORS = "manifest.json", "tensors.safetensors"
CHECKSUM = "checksum"  # of all other fields of the manifest

Calibrations = dict[Coarse, tuple[Calibration, Calibration]]
Prefill = Callable[[torch.Tensor, Settings], list[LayerStates | LocalLayer]]


@dataclass(frozen=True)
class Stored:
    """Everything a folder holds; fields as in ``FixedContext``."""

    ids: torch.Tensor
    layers: tuple[LayerIndex, ...]
    calibrations: Calibrations
    calibrated_on: str
    settings: Settings
    model_fingerprint: str
    local: Mapping[int, LocalLayer]


@dataclass(frozen=True)
class Place:
    """What the model says of one of its layers: the device it is on, and its sliding window, if any."""

    device: torch.device
    window: int | None


def save(folder: Path, stored: Stored, *, keys_values: bool = True) -> Path:
    """Writes ``stored`` to ``folder``, replacing an older version only once the new one is complete.

    Raises:
        ValueError: a threshold is not finite. OSError: not writable, or the disk is full.
    """
    _require_finite(stored.calibrations, "save")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        try:
            save_file(_tensors(stored, keys_values), temporary / TENSORS)
        except SafetensorError as error:  # raised instead of OSError, on a full disk for one
            raise OSError(f"cannot write {temporary / TENSORS}: {error}") from error
        manifest = {
            "format_version": FORMAT_VERSION,
            "model": stored.model_fingerprint,
            "ids": fingerprint.of_ids(stored.ids),
            "tokens": len(stored.ids),
            "settings": asdict(stored.settings),
            "keys_values": keys_values,
            "kv_bytes": sum(
                t.nbytes for layer in stored.layers for t in (layer.keys, layer.values)
            ),
            "dtype": str(stored.layers[0].keys.dtype).removeprefix("torch."),
            "layers": [{"scale": layer.scale, "softcap": layer.softcap} for layer in stored.layers],
            "local": [
                {"number": number, "sliding_window": layer.sliding_window}
                for number, layer in stored.local.items()
            ],
            "calibrations": [asdict(coarse) for coarse in stored.calibrations],
            "calibrated_on": stored.calibrated_on,
            "sha256": sha256(temporary / TENSORS),
        }
        manifest[CHECKSUM] = manifest_checksum(manifest)
        with (temporary / MANIFEST).open("w") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def load(folder: Path, model_fingerprint: str, places: Sequence[Place], prefill: Prefill) -> Stored:
    """Reads what ``save`` wrote.

    Args:
        folder: of one context. model_fingerprint: of the model it has to belong to.
        places: of each of the model's layers.
        prefill: computes keys and values again if they were not written.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: damaged. IndexMismatchError: of another model
            or format version.
    """
    manifest = read_manifest(folder)
    if manifest["model"] != model_fingerprint:
        raise IndexMismatchError(
            f"{folder}: model is {manifest['model'][:12]}, but the given model is "
            f"{model_fingerprint[:12]}: the index was made with other weights, settings or dtype; "
            "prepare the context again"
        )
    stored = read(folder, manifest)
    _require_layers(folder, stored, places)
    layers: Sequence[LayerIndex] = stored.layers
    local = stored.local
    if not manifest["keys_values"]:
        states = prefill(stored.ids, stored.settings)
        layers = _prefilled(layers, [state for state in states if isinstance(state, LayerStates)])
        local = {n: state for n, state in enumerate(states) if isinstance(state, LocalLayer)}
    devices = [place.device for place in places if place.window is None]
    return replace(
        stored,
        layers=tuple(_to_device(*each) for each in zip(layers, devices, strict=True)),
        local={n: _local_to_device(layer, places[n].device) for n, layer in local.items()},
    )


def read(folder: Path, manifest: dict[str, Any]) -> Stored:
    """What a folder with this manifest holds, on the CPU; keys and values that were not written are empty.

    Raises:
        IndexCorruptError: damaged. IndexMismatchError: the token ids are not those of the manifest.
    """
    tensors = read_tensors(folder, manifest)
    try:
        settings = read_settings(manifest)
        integrity.check_settings(settings)
        calibrations = _calibrations(tensors, manifest, settings)
        ids = tensors["ids"]
        integrity.require(ids.ndim == 1 and ids.dtype == torch.int64, "ids", "int64 [N]")
        if fingerprint.of_ids(ids) != manifest["ids"]:
            raise IndexMismatchError(
                f"{folder}: ids do not match the manifest's fingerprint; prepare it again"
            )
        local = {entry["number"]: _local(tensors, entry) for entry in manifest["local"]}
        layers = tuple(
            _layer(tensors, number, entry, settings)
            for number, entry in enumerate(manifest["layers"])
        )
        _require_whole(ids, layers, local, calibrations, manifest["keys_values"])
    except (KeyError, TypeError, IndexError, AttributeError, RuntimeError, OverflowError) as error:
        raise IndexCorruptError(
            f"{folder}: manifest and tensors do not fit together ({error!r}); prepare it again"
        ) from error
    except IndexCorruptError as error:
        raise IndexCorruptError(f"{folder}: {error}") from None
    _require_finite(calibrations, f"load {folder}")
    return Stored(
        ids, layers, calibrations, manifest["calibrated_on"], settings, manifest["model"], local
    )


def _require_whole(
    ids: torch.Tensor,
    layers: Sequence[LayerIndex],
    local: Mapping[int, LocalLayer],
    calibrations: Calibrations,
    keys_values: bool,
) -> None:
    """Raises ``IndexCorruptError`` unless all parts fit each other."""
    integrity.require(len(layers) > 0, "no layer", "at least one")
    for layer in layers:
        integrity.check_layer(layer, len(ids), keys_values)
    for local_layer in local.values():
        integrity.check_local(local_layer)
    for pair in calibrations.values():
        for calibration in pair:
            integrity.check_calibration(calibration, len(layers), layers[0].heads)


def _require_layers(folder: Path, stored: Stored, places: Sequence[Place]) -> None:
    """Raises ``IndexMismatchError`` unless the folder holds what the model's layers need."""
    found = len(stored.layers) + len(stored.local)
    if found != len(places):
        raise IndexMismatchError(
            f"{folder}: holds {found} layers, but the given model has {len(places)}"
        )
    windows = {number: layer.sliding_window for number, layer in stored.local.items()}
    wanted = {n: place.window for n, place in enumerate(places) if place.window is not None}
    if windows != wanted:
        raise IndexMismatchError(
            f"{folder}: layers with a sliding window (number: tokens) are {windows or 'none'}, but those of "
            f"the given model are {wanted or 'none'}; prepare the context again"
        )


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


def read_settings(manifest: dict[str, Any]) -> Settings:
    """The settings in a manifest; ``TypeError`` or ``KeyError`` if they are not settings."""
    fields = dict(manifest["settings"])
    return Settings(**{**fields, "levels": tuple(fields["levels"])})


def read_manifest(folder: Path) -> dict:
    """The manifest of an index folder.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: no manifest in it, or not JSON.
        IndexMismatchError: another format version.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder, so no stored fixed context to load")
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        signed = isinstance(manifest, dict) and manifest.get(CHECKSUM) == manifest_checksum(
            manifest
        )
    except (OSError, ValueError, RecursionError) as error:
        raise IndexCorruptError(
            f"{folder / MANIFEST}: cannot be read ({error}); prepare the context again"
        ) from error
    if not isinstance(manifest, dict):
        raise IndexCorruptError(
            f"{folder / MANIFEST}: not a JSON object; prepare the context again"
        )
    if manifest.get("format_version") != FORMAT_VERSION:
        raise IndexMismatchError(
            f"{folder}: format_version is {manifest.get('format_version')}, but this version of the "
            f"suite reads {FORMAT_VERSION}; prepare the context again"
        )
    if not signed:
        raise IndexCorruptError(
            f"{folder / MANIFEST}: its checksum differs, so a field was changed or damaged; prepare the "
            "context again"
        )
    integrity.check_manifest(manifest)
    return manifest


def _tensors(stored: Stored, keys_values: bool) -> dict[str, torch.Tensor]:
    tensors = {"ids": stored.ids}
    for i, calibrations in enumerate(stored.calibrations.values()):
        for phase, calibration in zip(_phases(stored.calibrated_on), calibrations, strict=False):
            prefix = f"calibration{i}.{phase}"
            tensors[f"{prefix}.mass"] = calibration.mass
            for j, curves in enumerate(calibration.levels):
                for name, curve in vars(curves).items():
                    tensors[f"{prefix}.level{j}.{name}"] = curve
    for i, layer in enumerate(stored.layers):
        optional = {"queries": layer.queries, "accumulated": layer.accumulated}
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
        for number, local in stored.local.items():
            tensors[f"local{number}.keys"] = local.keys
            tensors[f"local{number}.values"] = local.values
    # Copies, because safetensors refuses tensors that share memory.
    return {name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}


def _phases(calibrated_on: str) -> tuple[str, ...]:
    """What a calibration is made for; the window's serves user inputs and tokens alike."""
    return ("inputs",) if calibrated_on == "window" else ("inputs", "tokens")


def _layer(
    tensors: dict[str, torch.Tensor], number: int, entry: dict[str, Any], settings: Settings
) -> LayerIndex:
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
        accumulated=tensors.get(f"{prefix}.accumulated"),
    )


def _local(tensors: dict[str, torch.Tensor], entry: dict[str, int]) -> LocalLayer:
    prefix, nothing = f"local{entry['number']}", torch.empty(0, 0, 0)
    return LocalLayer(
        tensors.get(f"{prefix}.keys", nothing),
        tensors.get(f"{prefix}.values", nothing),
        entry["sliding_window"],
    )


def _calibrations(
    tensors: dict[str, torch.Tensor], manifest: dict[str, Any], settings: Settings
) -> Calibrations:
    found: Calibrations = {}
    for i, entry in enumerate(manifest["calibrations"]):
        coarse = Coarse(tuple(entry["drops"]), entry["by"], entry["score"])
        phases = []
        for phase in _phases(manifest["calibrated_on"]):
            prefix = f"calibration{i}.{phase}"
            levels = tuple(
                LevelCurves(
                    *(tensors[f"{prefix}.level{j}.{name}"] for name in ("model", "layers", "heads"))
                )
                for j in range(len(settings.levels))
            )
            phases.append(Calibration(levels, tensors[f"{prefix}.mass"], coarse))
        found[coarse] = phases[0], phases[-1]
    return found


def _prefilled(layers: Sequence[LayerIndex], states: list[LayerStates]) -> list[LayerIndex]:
    """The layers with keys and values of a new prefill, brought into cluster order."""
    filled = []
    for layer, state in zip(layers, states, strict=True):
        order = layer.positions.long().to(state.keys.device)
        rows = [in_cluster_order(each, order) for each in (state.keys, state.values)]
        filled.append(replace(layer, keys=rows[0], values=rows[1]))
    return filled


def _to_device(layer: LayerIndex, device: torch.device) -> LayerIndex:
    levels = tuple(replace(level, **_moved(level, device)) for level in layer.levels)
    return replace(layer, levels=levels, **_moved(layer, device))


def _moved(parts: LayerIndex | Level, device: torch.device) -> dict[str, Any]:
    """The tensors among the fields, on a device."""
    fields = vars(parts).items()
    return {name: part.to(device) for name, part in fields if isinstance(part, torch.Tensor)}


def _local_to_device(layer: LocalLayer, device: torch.device) -> LocalLayer:
    return replace(layer, keys=layer.keys.to(device), values=layer.values.to(device))


def _require_finite(calibrations: Calibrations, doing: str) -> None:
    tensors = [t for pair in calibrations.values() for each in pair for t in each.tensors()]
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise IndexCorruptError(f"refused to {doing}: a threshold is not finite")


def _replace(temporary: Path, folder: Path) -> None:
    """Puts ``temporary`` in the place of ``folder``; the old folder is gone only after the new one stands."""
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        folder.replace(old / "old")
        temporary.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        temporary.replace(folder)


def manifest_checksum(manifest: dict[str, Any]) -> str:
    fields = {name: value for name, value in manifest.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
