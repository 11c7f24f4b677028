"""What a study is: a choice of cells, tables of them, and a figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.reporting.figures.style import Drawn
from bench.reporting.statistics.pooled import Pool

ORACLE = "oracle topk"  # the label of the best choice that knows all scores


@dataclass(frozen=True)
class Study:
    """One table and figure of the paper's kind.

    Attributes:
        name: of its experiment and its files. title: of its figure and its section.
        about: what the numbers are, in one or two sentences for the page.
        cells: the cells of one group that it is about, and full attention beside them, on the same questions;
            without a row where the records do not make such a study.
        tables: by the end of the file's name, from those cells.
        draw: the figure of the table of the same cells, with its title; ``None``: no figure.
    """

    name: str
    title: str
    about: str
    cells: Callable[[Pool], Pool]
    tables: Callable[[Pool], dict[str, pd.DataFrame]]
    draw: Callable[[Pool, str], Drawn] | None = None


def with_interval(table: pd.DataFrame, name: str, digits: int = 3) -> pd.Series:
    """The values of a column with their interval, as text: ``0.912 (0.870 to 0.950)``."""
    texts = []
    for value, low, high in table[[name, f"{name}_ci_low", f"{name}_ci_high"]].itertuples(
        index=False
    ):
        bounds = "" if pd.isna(low) else f" ({low:.{digits}f} to {high:.{digits}f})"
        texts.append("" if pd.isna(value) else f"{value:.{digits}f}{bounds}")
    return pd.Series(texts, index=table.index, dtype=object)


def at_several(
    table: pd.DataFrame, x: str, least: int = 2, by: Sequence[str] = ("length", "label")
) -> pd.DataFrame:
    """The cells with at least so many values of ``x`` beside them, of the same method at the same length."""
    if table.empty:  # of which pandas would not say whether True or False is missing
        return table
    return table[table.groupby(list(by))[x].transform("nunique") >= least]
