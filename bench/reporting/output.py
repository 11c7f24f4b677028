"""Files of tables and figures: the same records give the same bytes, and no reader sees a part."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_string_dtype

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings of formulas, for spreadsheets
_NUMBER = r"[-+]?\d[\d.]*(?:e[-+]?\d+)?"
NUMBERS = re.compile(
    rf"-|{_NUMBER}(?: to {_NUMBER})?(?: \({_NUMBER} to {_NUMBER}\))?"
)  # which no program runs
FORMATS = ("tex", "pdf")  # that are written beside CSV, Markdown and PNG only when asked for


def write_table(
    table: pd.DataFrame, folder: Path, name: str, formats: Sequence[str] = ()
) -> list[Path]:
    """Writes ``NAME.csv`` and ``NAME.md``, and with ``tex`` in ``formats`` LaTeX; returns the paths."""
    contents = {
        "csv": as_csv(table),
        "md": as_markdown(table) + "\n",
    }
    if "tex" in formats:
        contents["tex"] = as_latex(table)
    return [write_text(folder / f"{name}.{kind}", text) for kind, text in contents.items()]


def as_csv(table: pd.DataFrame) -> str:
    """The table as CSV. Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = {name: table[name].map(unlike_formula) for name in table if table[name].dtype == object}
    text |= {
        name: table[name].map(unlike_formula) for name in table if is_string_dtype(table[name])
    }
    return table.assign(**text).to_csv(index=False, float_format="%.6g")  # type: ignore[arg-type]


def unlike_formula(cell: Any) -> Any:
    """A cell that no program runs; numbers as text, intervals and a lone dash stay as they are."""
    if not isinstance(cell, str) or not cell.startswith(FORMULA) or NUMBERS.fullmatch(cell):
        return cell
    return f"'{cell}"


def as_meant(cell: str) -> str:
    """What ``unlike_formula`` was given."""
    return cell[1:] if cell.startswith(tuple(f"'{each}" for each in FORMULA)) else cell


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
