"""Where each method breaks: score against budget, a line for each share of the context that is needed."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.figures.files import write_figure
from bench.reporting.figures.looks import Look
from bench.reporting.tables.probes import by_density
from bench.reporting.variants import DENSE, labels

COLUMNS = 3  # panels beside each other
MARKS = "os^Dv<>P*X"


def write(
    groups: list[tuple[str, pd.DataFrame]], folder: Path, formats: Sequence[str] = ()
) -> list[Path]:
    """Writes ``NAME-density`` as PNG (and ``formats``) of every group in which a method was asked for
    two sizes and questions need different shares; returns the paths."""
    paths = []
    for name, questions in groups:
        table = by_density(questions)
        for length, here in table.groupby("context_length") if len(table) else ():
            here = here[here["method"] != DENSE]
            here = here.assign(line=labels(here))
            several = here.groupby("line")["asked"].transform("nunique") > 1
            if several.any() and here["density_to"].nunique() > 1:
                file = f"{name}-density-{length}"
                paths += write_figure(draw(file, here[several]), folder, file, formats)
    return paths


@style.applied
def draw(title: str, table: pd.DataFrame) -> Figure:
    """A panel a method."""
    methods = list(dict.fromkeys(table["line"]))
    classes = sorted(set(zip(table["density_from"], table["density_to"], strict=True)))
    tints = style.colours(words(*each) for each in classes)
    columns = min(COLUMNS, len(methods))
    figure, grid = style.panels(-(-len(methods) // columns), columns)
    for number, axes in enumerate(grid.flat):
        if number >= len(methods):
            axes.set_visible(False)
            continue
        here = table[table["line"] == methods[number]]
        for place, each in enumerate(classes):
            part = here[(here["density_from"] == each[0]) & (here["density_to"] == each[1])]
            name = words(*each)
            line = ("-", "--")[place // 6 % 2]
            look = Look(tints[name], MARKS[place % len(MARKS)], line)
            style.curve(axes, part["kv_budget"], part, name, look, band=False)
        axes.set_title(methods[number])
        style.heights(axes, table)
    for axes in grid[:, 0]:
        axes.set_ylabel("score where full answers")
    for axes in grid[-1]:
        axes.set_xlabel("measured KV budget")
    figure.suptitle(f"{title}: by the share of the context that a question needs")
    style.legend(figure)
    return figure


def words(low: float, high: float) -> str:
    """A class of densities in words."""
    return f"{Fraction(low)} to {Fraction(high)}" if low else f"below {Fraction(high)}"
