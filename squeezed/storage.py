"""A fixed context on disk: one safetensors file and a JSON manifest with its checksum.

The manifest is what makes a folder an index; it names the format version, the model, the token ids and the
settings. A folder appears whole or not at all.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from squeezed import fingerprint
from squeezed.calibration import Calibration, LevelCurves
from squeezed.errors import IndexCorruptError, IndexMismatchError
from squeezed.index import LayerIndex, Level, cluster_counts
from squeezed.prefill import LayerStates
from squeezed.settings import Settings

FORMAT_VERSION = 2
MANIFEST, TENSORS = "manifest.json", "tensors.safetensors"
REQUIRED = {
    "model",
    "ids",
    "tokens",
    "settings",
    "layers",
    "calibrations",
    "calibrated_on",
    "sha256",
}

Calibrations = dict[tuple[float, ...], tuple[Calibration, Calibration]]
Prefill = Callable[[torch.Tensor, Settings], list[LayerStates]]


@dataclass(frozen=True)
class Stored:
    """Everything a folder holds; fields as in ``FixedContext``."""

    ids: torch.Tensor
    layers: tuple[LayerIndex, ...]
    calibrations: Calibrations
    calibrated_on: str
    settings: Settings
    model_fingerprint: str


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
            "dtype": str(stored.layers[0].keys.dtype).removeprefix("torch."),
            "layers": [{"scale": layer.scale, "softcap": layer.softcap} for layer in stored.layers],
            "calibrations": [list(drops) for drops in stored.calibrations],
            "calibrated_on": stored.calibrated_on,
            "sha256": _sha256(temporary / TENSORS),
        }
        with (temporary / MANIFEST).open("w") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def load(
    folder: Path, model_fingerprint: str, devices: Sequence[torch.device], prefill: Prefill
) -> Stored:
    """Reads what ``save`` wrote.

    Args:
        folder: of one context. model_fingerprint: of the model it has to belong to.
        devices: of each layer. prefill: computes keys and values again if they were not written.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: damaged. IndexMismatchError: of another model
            or format version.
    """
    manifest = read_manifest(folder)
    if manifest["model"] != model_fingerprint:
        raise IndexMismatchError(
            f"{folder}: model is {manifest['model'][:12]}, but the given model is "
            f"{model_fingerprint[:12]}: the index was made with other weights or another dtype; prepare "
            "the context again"
        )
    tensors = read_tensors(folder, manifest)
    try:
        settings = read_settings(manifest)
        calibrations = _calibrations(tensors, manifest, settings)
        ids = tensors["ids"]
        if fingerprint.of_ids(ids) != manifest["ids"]:
            raise IndexMismatchError(
                f"{folder}: ids do not match the manifest's fingerprint; prepare it again"
            )
        parts = [
            _layer(tensors, number, entry, settings)
            for number, entry in enumerate(manifest["layers"])
        ]
    except (KeyError, TypeError, IndexError) as error:
        raise IndexCorruptError(
            f"{folder}: manifest and tensors do not fit together ({error!r}); prepare it again"
        ) from error
    _require_finite(calibrations, f"load {folder}")
    if len(parts) != len(devices):
        raise IndexMismatchError(
            f"{folder}: holds {len(parts)} layers, but the given model has {len(devices)}"
        )
    if not manifest["keys_values"]:
        parts = _prefilled(parts, prefill(ids, settings))
    layers = tuple(_to_device(layer, device) for layer, device in zip(parts, devices, strict=True))
    return Stored(ids, layers, calibrations, manifest["calibrated_on"], settings, model_fingerprint)


def read_tensors(folder: Path, manifest: dict[str, Any]) -> dict[str, torch.Tensor]:
    """All tensors of an index folder, on the CPU.

    Raises:
        IndexCorruptError: the file is missing or its checksum differs.
    """
    path = folder / TENSORS
    if not path.is_file() or _sha256(path) != manifest["sha256"]:
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
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
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
    missing = REQUIRED - set(manifest)
    if missing:
        raise IndexCorruptError(
            f"{folder / MANIFEST}: lacks {', '.join(sorted(missing))}; prepare the context again"
        )
    return manifest


def _tensors(stored: Stored, keys_values: bool) -> dict[str, torch.Tensor]:
    tensors = {"ids": stored.ids}
    for i, calibrations in enumerate(stored.calibrations.values()):
        for phase, calibration in zip(("inputs", "tokens"), calibrations, strict=True):
            prefix = f"calibration{i}.{phase}"
            tensors[f"{prefix}.mass"] = calibration.mass
            for j, level in enumerate(calibration.levels):
                for name, curve in vars(level).items():
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
    # A tensor that is stored under two names (window calibration) is written twice, not shared.
    return {name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}


def _layer(
    tensors: dict[str, torch.Tensor], number: int, entry: dict[str, Any], settings: Settings
) -> LayerIndex:
    depth = len(settings.levels)
    prefix = f"layer{number}"
    offsets = tuple(tensors[f"{prefix}.level{j}.offsets"] for j in range(depth))
    counts = cluster_counts(offsets)
    levels = tuple(
        Level(tensors[f"{prefix}.level{j}.centroids"], offsets[j], counts[j]) for j in range(depth)
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


def _calibrations(
    tensors: dict[str, torch.Tensor], manifest: dict[str, Any], settings: Settings
) -> Calibrations:
    found: Calibrations = {}
    for i, drops in enumerate(manifest["calibrations"]):
        phases = []
        for phase in ("inputs", "tokens"):
            prefix = f"calibration{i}.{phase}"
            levels = tuple(
                LevelCurves(
                    *(tensors[f"{prefix}.level{j}.{name}"] for name in ("model", "layers", "heads"))
                )
                for j in range(len(settings.levels))
            )
            phases.append(Calibration(levels, tensors[f"{prefix}.mass"], tuple(drops)))
        inputs, tokens = phases
        found[tuple(drops)] = inputs, inputs if manifest["calibrated_on"] == "window" else tokens
    return found


def _prefilled(layers: list[LayerIndex], states: list[LayerStates]) -> list[LayerIndex]:
    """The layers with keys and values of a new prefill, brought into cluster order."""
    filled = []
    for layer, state in zip(layers, states, strict=True):
        order = layer.positions.long().to(state.keys.device).unsqueeze(-1)
        clustered = order.shape[1]
        rows = [
            torch.cat(
                [
                    each[:, :clustered].gather(1, order.expand(-1, -1, each.shape[2])),
                    each[:, clustered:],
                ],
                dim=1,
            )
            for each in (state.keys, state.values)
        ]
        filled.append(replace(layer, keys=rows[0], values=rows[1]))
    return filled


def _to_device(layer: LayerIndex, device: torch.device) -> LayerIndex:
    moved = {
        name: value.to(device)
        for name, value in vars(layer).items()
        if isinstance(value, torch.Tensor)
    }
    levels = tuple(
        Level(*(t.to(device) for t in (level.centroids, level.offsets, level.counts)))
        for level in layer.levels
    )
    return replace(layer, levels=levels, **moved)


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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
