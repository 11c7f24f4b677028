"""Files that are there as a whole or not at all."""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Lets ``write`` fill a temporary file beside ``path``, then puts it there in one step.

    Raises:
        OSError: the file cannot be written; an older file of the name is still there then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays, because some writers go by it.
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a small file; errors as ``write_with``."""
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file with sorted keys; errors as ``write_with``."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def write_lines(path: Path, values: list[Any]) -> None:
    """Writes a JSONL file; errors as ``write_with``."""
    lines = [json.dumps(value, ensure_ascii=False, allow_nan=False) for value in values]
    write_bytes(path, "".join(line + "\n" for line in lines).encode())


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
