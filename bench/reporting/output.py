"""Files of tables and figures: the same records give the same bytes, and no reader sees a part."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

FORMATS = ("tex", "pdf")  # that are written beside CSV, Markdown and PNG only when asked for


def write_table(
    table: pd.DataFrame, folder: Path, name: str, formats: Sequence[str] = ()
) -> list[Path]:
    """Writes ``NAME.csv`` and ``NAME.md``, and with ``tex`` in ``formats`` LaTeX; returns the paths."""
    contents = {
        "csv": table.to_csv(index=False, float_format="%.6g"),
        "md": as_markdown(table) + "\n",
    }
    if "tex" in formats:
        contents["tex"] = as_latex(table)
    return [write_text(folder / f"{name}.{kind}", text) for kind, text in contents.items()]


def write_text(path: Path, text: str) -> Path:
    """Writes a text file; returns its path."""
    return write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def as_markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, numbers to three digits, missing values empty."""
    shown = table.astype(object).where(table.notna(), "")
    return shown.to_markdown(index=False, floatfmt=".3f", disable_numparse=False)


def as_latex(table: pd.DataFrame) -> str:
    """The table as LaTeX for the package booktabs, special characters escaped."""
    shown = table.map(_cell)
    numbers = [pd.api.types.is_numeric_dtype(table[name]) for name in table]
    form = "".join("r" if number else "l" for number in numbers)
    return shown.to_latex(index=False, escape=True, column_format=form)


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def write_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Writes a file by a function of a temporary path beside it; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp{os.getpid()}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
