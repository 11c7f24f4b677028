"""Files that are there as a whole or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any

from rows.whole import write_bytes


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file with sorted keys; errors as ``rows.whole.write_with``."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def write_lines(path: Path, values: list[Any]) -> None:
    """Writes a JSONL file; errors as ``rows.whole.write_with``."""
    lines = [json.dumps(value, ensure_ascii=False, allow_nan=False) for value in values]
    write_bytes(path, "".join(line + "\n" for line in lines).encode())


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
