"""Files of tables and figures: the same records give the same bytes, and no reader sees a part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:  # figures load matplotlib; who writes a table only need not wait for it
    from matplotlib.figure import Figure

DPI = 150
# No date and no version in the files.
PLAIN = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def write_table(table: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """Writes ``NAME.csv``, ``NAME.md`` and ``NAME.tex`` (booktabs); returns the paths."""
    contents = {
        "csv": table.to_csv(index=False, float_format="%.6g"),
        "md": as_markdown(table) + "\n",
        "tex": as_latex(table),
    }
    return [write_text(folder / f"{name}.{kind}", text) for kind, text in contents.items()]


def write_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Writes ``NAME.png`` and ``NAME.pdf``; returns the paths."""
    return [write_image(figure, folder / f"{name}.{kind}") for kind in PLAIN]


def write_image(figure: Figure, path: Path) -> Path:
    """Writes a figure as PNG or PDF, by the path's ending; returns its path."""
    from bench.reporting.figures.style import applied

    kind = path.suffix[1:]

    @applied
    def save(place: Path) -> None:
        figure.savefig(place, format=kind, dpi=DPI, metadata=PLAIN[kind])

    return write_file(path, save)


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
