"""The manifest of a stored context: a JSON object with the checksum of the tensors and one of its own.

It is what makes a folder an index; it names the format version, the model, the token ids and the settings.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from squeezed.calibration.of_context import known_calibrations
from squeezed.context.data import Context
from squeezed.errors import IndexCorruptError, IndexMismatchError
from squeezed.index.settings import Settings
from squeezed.model import fingerprint
from squeezed.model.statistics import RECEIVED_ATTENTION
from squeezed.storage import integrity

FORMAT_VERSION = 5
# Before statistics had names: 3, and 4 for models with chunked layers. They hold one statistic or none.
OLDER_VERSIONS = (3, 4)
MANIFEST, TENSORS = "manifest.json", "tensors.safetensors"
CHECKSUM = "checksum"  # of all other fields of the manifest


def make_manifest(context: Context, tensors: Path, keys_values: bool) -> dict[str, Any]:
    """The manifest of a context whose tensors are in a file; ``keys_values``: whether those are in it."""
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "model": context.model_fingerprint,
        "ids": fingerprint.of_ids(context.ids),
        "tokens": len(context.ids),
        "settings": asdict(context.settings),
        "keys_values": keys_values,
        "kv_bytes": context.kv_bytes,
        "dtype": str(context.layers[0].keys.dtype).removeprefix("torch."),
        "layers": [{"scale": layer.scale, "softcap": layer.softcap} for layer in context.layers],
        "local": [
            {"number": number, "sliding_window": layer.sliding_window}
            for number, layer in context.local.items()
        ],
        "calibrations": [asdict(conditions) for conditions in known_calibrations(context)],
        "calibrated_on": context.calibrated_on,
        "sha256": sha256(tensors),
    }
    for entry in manifest["local"]:
        if context.local[entry["number"]].chunked:
            entry["chunked"] = True
    if context.recurrent:  # a field of its own kind of model: files of all others stay as they were
        manifest["recurrent"] = [
            {
                "number": number,
                "conv": list(state.conv),
                "states": list(state.recurrent),
                "attends": state.attends,
                "restarts": state.restarts,
            }
            for number, state in context.recurrent.items()
        ]
    manifest[CHECKSUM] = manifest_checksum(manifest)
    return manifest


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
    if manifest.get("format_version") not in (FORMAT_VERSION, *OLDER_VERSIONS):
        raise IndexMismatchError(
            f"{folder}: format_version is {manifest.get('format_version')}, but this version of the "
            f"suite reads {OLDER_VERSIONS[0]} to {FORMAT_VERSION}; prepare the context again"
        )
    if not signed:
        raise IndexCorruptError(
            f"{folder / MANIFEST}: its checksum differs, so a field was changed or damaged; prepare the "
            "context again"
        )
    integrity.check_manifest(manifest)
    return manifest


def read_settings(manifest: dict[str, Any]) -> Settings:
    """The settings in a manifest; ``TypeError`` or ``KeyError`` if they are not settings."""
    fields = dict(manifest["settings"])
    if manifest["format_version"] in OLDER_VERSIONS:
        accumulated = fields.pop("accumulate", False)
        integrity.require(type(accumulated) is bool, "accumulate", "true or false")
        fields["statistics"] = [RECEIVED_ATTENTION] * accumulated
    return Settings(
        **{
            **fields,
            "levels": tuple(fields["levels"]),
            "statistics": tuple(fields["statistics"]),
        }
    )


def manifest_checksum(manifest: dict[str, Any]) -> str:
    fields = {name: value for name, value in manifest.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
