"""The CSV of measurements: written whole and atomically after every shape, read again to resume."""

import csv
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.config.spec import digest

Row = dict[str, str]

KEYS = (
    "device", "threads", "dtype", "query_heads", "kv_heads", "head_size", "context", "query_tokens",
    "sparsity", "depth", "source", "index", "layer",
)  # fmt: skip
FIELDS = (
    *KEYS, "provider", "median_ms", "low_ms", "high_ms", "cpu_ms", "rounds", "mbytes", "gb_per_s",
    "copy_share", "gflop", "kept", "error", "vs_sdpa", "vs_fastest_dense", "fastest_dense", "copy_gb_per_s",
    "product_gflop_per_s", "torch", "compiler", "commit",
)  # fmt: skip


class Table:
    """Rows of one CSV file; ``keys`` are the columns that say what was measured.

    Raises:
        ValueError: the file is there and has other columns.
    """

    def __init__(
        self, path: Path, fields: tuple[str, ...] = FIELDS, keys: tuple[str, ...] = KEYS
    ) -> None:
        self.path, self.fields, self.keys = path, fields, keys
        self.rows: list[Row] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                if tuple(reader.fieldnames or ()) != fields:
                    raise ValueError(
                        f"{path}: the columns are not those of this version; move the file away"
                    )
                self.rows = list(reader)

    def has(self, key: Mapping[str, object]) -> bool:
        """Whether a shape was measured already."""
        return bool(self.of(key))

    def of(self, key: Mapping[str, object]) -> list[Row]:
        """The rows of a shape."""
        return [row for row in self.rows if all(row[k] == _text(key[k]) for k in self.keys)]

    def replace(self, new: Iterable[Mapping[str, object]]) -> None:
        """Puts the rows of a shape in place of what there was of it, and writes the file."""
        texts = [{name: _text(row.get(name, "")) for name in self.fields} for row in new]
        fresh = {tuple(row[k] for k in self.keys) for row in texts}
        old = [row for row in self.rows if tuple(row[k] for k in self.keys) not in fresh]
        self.rows = old + texts
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("x", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self.fields, lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.rows)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def named(model: str, path: str | None) -> str:
    """A model in a table; the name alone does not tell which one a path means."""
    if path is None:
        return model
    place = str(Path(path).expanduser().resolve())
    return f"{model} ({Path(path).name} {digest(place)[:4]})"


def _text(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
