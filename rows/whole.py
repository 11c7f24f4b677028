"""Files that appear as a whole, or not at all."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


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
