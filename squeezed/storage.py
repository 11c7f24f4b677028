"""A fixed context on disk: one safetensors file and a JSON manifest with its checksum.

The manifest is what makes a folder an index; it names the format version, the model, the token ids and the
settings. A folder appears whole or not at all.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from squeezed import fingerprint
from squeezed.calibration import QuantileCurve
from squeezed.errors import IndexCorruptError, IndexMismatchError
from squeezed.index import LayerIndex, Level

FORMAT_VERSION = 1
MANIFEST, TENSORS = "manifest.json", "tensors.safetensors"


@dataclass(frozen=True)
class Settings:
    """What a context was prepared with: cluster shares coarse to fine, observation window, seed."""

    levels: tuple[float, ...]
    window: int
    seed: int


@dataclass(frozen=True)
class Stored:
    """Everything a folder holds."""

    ids: torch.Tensor
    layers: tuple[LayerIndex, ...]
    curve: QuantileCurve
    settings: Settings
    model_fingerprint: str


def save(folder: Path, stored: Stored) -> Path:
    """Writes ``stored`` to ``folder``, replacing an older version only once the new one is complete.

    Raises:
        ValueError: a threshold is not finite. OSError: not writable, or the disk is full.
    """
    _require_finite(stored.curve, "save")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        try:
            save_file(_tensors(stored), temporary / TENSORS)
        except SafetensorError as error:  # raised instead of OSError, on a full disk for one
            raise OSError(f"cannot write {temporary / TENSORS}: {error}") from error
        manifest = {
            "format_version": FORMAT_VERSION,
            "model": stored.model_fingerprint,
            "ids": fingerprint.of_ids(stored.ids),
            "tokens": len(stored.ids),
            "settings": asdict(stored.settings),
            "scales": [layer.scale for layer in stored.layers],
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


def load(folder: Path, model_fingerprint: str, device: torch.device) -> Stored:
    """Reads what ``save`` wrote.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: damaged. IndexMismatchError: of another model
            or format version.
    """
    manifest = read_manifest(folder)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise IndexMismatchError(
            f"{folder}: format_version is {manifest.get('format_version')}, but this version of the "
            f"suite reads {FORMAT_VERSION}; prepare the context again"
        )
    if manifest["model"] != model_fingerprint:
        raise IndexMismatchError(
            f"{folder}: model is {manifest['model'][:12]}, but the given model is "
            f"{model_fingerprint[:12]}: the index was made with other weights or another dtype; prepare "
            "the context again"
        )
    path = folder / TENSORS
    if not path.is_file() or _sha256(path) != manifest["sha256"]:
        raise IndexCorruptError(
            f"{path}: missing or its checksum differs; delete {folder} and prepare it again"
        )
    tensors = load_file(path, device=str(device))
    settings = Settings(
        tuple(manifest["settings"]["levels"]),
        manifest["settings"]["window"],
        manifest["settings"]["seed"],
    )
    layers = tuple(
        _layer(tensors, i, settings, scale) for i, scale in enumerate(manifest["scales"])
    )
    curve = QuantileCurve(tensors["curve"].cpu())
    _require_finite(curve, f"load {folder}")
    ids = tensors["ids"].cpu()
    if fingerprint.of_ids(ids) != manifest["ids"]:
        raise IndexMismatchError(
            f"{folder}: ids do not match the manifest's fingerprint; prepare it again"
        )
    return Stored(ids, layers, curve, settings, model_fingerprint)


def read_manifest(folder: Path) -> dict:
    """The manifest of an index folder.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: no manifest in it, or not JSON.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder, so no stored fixed context to load")
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise IndexCorruptError(
            f"{folder / MANIFEST}: cannot be read ({error}); prepare the context again"
        ) from error
    missing = {"model", "ids", "settings", "scales", "sha256"} - set(manifest)
    if missing:
        raise IndexCorruptError(
            f"{folder / MANIFEST}: lacks {', '.join(sorted(missing))}; prepare the context again"
        )
    return manifest


def _tensors(stored: Stored) -> dict[str, torch.Tensor]:
    tensors = {"ids": stored.ids, "curve": stored.curve.log_scores}
    for i, layer in enumerate(stored.layers):
        tensors |= {
            f"layer{i}.keys": layer.keys,
            f"layer{i}.values": layer.values,
            f"layer{i}.positions": layer.positions,
        }
        for j, level in enumerate(layer.levels):
            tensors[f"layer{i}.level{j}.centroids"] = level.centroids
            tensors[f"layer{i}.level{j}.offsets"] = level.offsets
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _layer(
    tensors: dict[str, torch.Tensor], i: int, settings: Settings, scale: float
) -> LayerIndex:
    levels = tuple(
        Level(tensors[f"layer{i}.level{j}.centroids"], tensors[f"layer{i}.level{j}.offsets"])
        for j in range(len(settings.levels))
    )
    return LayerIndex(
        tensors[f"layer{i}.keys"],
        tensors[f"layer{i}.values"],
        tensors[f"layer{i}.positions"],
        levels,
        settings.window,
        scale,
    )


def _require_finite(curve: QuantileCurve, doing: str) -> None:
    if not bool(curve.log_scores.isfinite().all()):
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
