"""Processor time of our K-means beside scikit-learn's, by the keys that were clustered."""

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.figures.looks import BLACK, BLUE


@style.applied
def draw(rows: pd.DataFrame) -> Figure:
    """A bar each row. ``rows``: ``label``, ``time`` and ``inertia``, both with scikit-learn = 1."""
    figure, ((time, inertia),) = style.panels(1, 2, width=4.2, height=3.6, share=False)
    for axes, name in ((time, "time"), (inertia, "inertia")):
        axes.barh(rows["label"], rows[name], color=BLUE)
        axes.axvline(1, color=BLACK, linestyle="--", linewidth=1)
        axes.set_xlabel(f"{name}, scikit-learn = 1")
        axes.invert_yaxis()
    inertia.set_yticklabels([])
    figure.suptitle("K-means at the same number of clusters and passes; less is better")
    return figure
