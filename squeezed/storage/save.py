"""Writing a context to a folder: one safetensors file and a JSON manifest with its checksum.

A folder appears whole or not at all.
"""

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from squeezed.calibration.of_context import calibrations, known_calibrations
from squeezed.context.data import Context
from squeezed.storage.integrity import require_finite
from squeezed.storage.manifest import MANIFEST, TENSORS, make_manifest
from squeezed.storage.tensors import to_tensors


def save_context(folder: Path, context: Context, *, keys_values: bool = True) -> Path:
    """Writes a context to ``folder``, replacing an older version only once the new one is complete.

    The calibration of the paper's setting is made if there is none yet.

    Args:
        folder: replaced as a whole if it exists.
        keys_values: also write keys and values; without them loading prefills the context again.

    Raises:
        IndexCorruptError: a threshold is not finite. OSError: not writable, or the disk is full.
        ValueError: there is no calibration, nor the queries to make one.
    """
    calibrations(context, context.settings.conditions)
    require_finite(known_calibrations(context), "save")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Not by tempfile: its folders are closed to everybody else, and a group may share an index.
    temporary = folder.parent / f".{folder.name}-{secrets.token_hex(6)}"
    temporary.mkdir()
    try:
        try:
            save_file(to_tensors(context, keys_values), temporary / TENSORS)
        except SafetensorError as error:  # raised instead of OSError, on a full disk for one
            raise OSError(f"cannot write {temporary / TENSORS}: {error}") from error
        manifest = make_manifest(context, temporary / TENSORS, keys_values)
        with (temporary / MANIFEST).open("w") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        (temporary / TENSORS).chmod(stat.S_IMODE((temporary / MANIFEST).stat().st_mode))
        _replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _replace(temporary: Path, folder: Path) -> None:
    """Puts ``temporary`` in the place of ``folder``; the old folder is gone only after the new one stands."""
    while temporary.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        try:
            if folder.exists():
                folder.replace(old / "old")
            temporary.replace(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise  # else another process has just put its own there: replace that
        finally:
            if (old / "old").exists() and not folder.exists():  # interrupted between the two
                (old / "old").replace(folder)
            shutil.rmtree(old, ignore_errors=True)
