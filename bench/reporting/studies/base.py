"""What a study is: a choice of cells, tables of them, and a figure."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.statistics.pooled import Pool


@dataclass(frozen=True)
class Study:
    """One table and figure of the paper's kind.

    Attributes:
        name: of its experiment and its files. title: of its figure and its section.
        about: what the numbers are, in one or two sentences for the page.
        tables: by the end of the file's name, from the cells of one group; empty where the records do
            not make such a table.
        draw: the figure of the same cells, with its title; ``None``: no figure.
    """

    name: str
    title: str
    about: str
    tables: Callable[[Pool], dict[str, pd.DataFrame]]
    draw: Callable[[Pool, str], Figure] | None = None


def with_interval(table: pd.DataFrame, name: str, digits: int = 3) -> pd.Series:
    """The values of a column with their interval, as text: ``0.912 (0.870 to 0.950)``."""
    texts = []
    for value, low, high in table[[name, f"{name}_ci_low", f"{name}_ci_high"]].itertuples(
        index=False
    ):
        bounds = "" if pd.isna(low) else f" ({low:.{digits}f} to {high:.{digits}f})"
        texts.append("" if pd.isna(value) else f"{value:.{digits}f}{bounds}")
    return pd.Series(texts, index=table.index, dtype=object)
