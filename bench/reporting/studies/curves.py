"""Studies that are one curve a method: a score along something that was varied."""

import re
from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.statistics.pooled import Pool
from bench.reporting.studies.base import Study, with_interval

OF_THE_INDEX = r"\b(?:levels|window|strategy|balance|index_seed)="
SHOWN = ["kv_budget", "measured_sparsity"]
Cells = Callable[[pd.DataFrame], pd.DataFrame]


def study(name: str, title: str, about: str, axis: str, cells: Cells) -> Study:
    """A study of the cells that ``cells`` picks from a pool's table, with a column ``x`` named ``axis``.

    It exists where a method has at least two values of ``x`` at one length.
    """

    def found(pool: Pool) -> pd.DataFrame:
        table = cells(pool.table)
        if table.empty:
            return table
        values = table.groupby(["context_length", "label"])["x"].transform("nunique")
        return table[values > 1]

    def tables(pool: Pool) -> dict[str, pd.DataFrame]:
        table = found(pool)
        if table.empty:
            return {}
        table = table.sort_values(["context_length", "label", "x"], kind="stable")
        rest = {"score (95 % CI)": with_interval(table, "score")}
        if "delta" in table:
            rest["minus full (95 % CI)"] = with_interval(table, "delta")
            rest["inside noise"] = table["inside_noise"]
        head = table[["context_length", "label", "x", *SHOWN]]
        head = head.rename(columns={"label": "method", "x": axis})
        return {"": head.assign(**rest, **table[["tasks", "n", "contexts", "complete"]])}

    @style.applied
    def draw(pool: Pool, heading: str) -> Figure:
        table = found(pool)
        lengths = sorted(table["context_length"].unique())
        looks = style.styles(table["label"])
        figure, grid = style.panels(1, len(lengths), width=4.2, height=3.2)
        for axes, length in zip(grid[0], lengths, strict=True):
            here = table[table["context_length"] == length]
            full = pool.table[pool.table["method"] == "full"]
            style.dense_line(axes, full[full["context_length"] == length])
            band = here["label"].nunique() <= style.BANDS
            for label, runs in here.groupby("label", sort=False):
                style.curve(axes, runs["x"], runs, str(label), looks[str(label)], band=band)
            axes.set_title(f"{length} tokens, {style.questions(here)}")
            axes.set_xlabel(axis)
        grid[0][0].set_ylabel("score, 95 % interval")
        figure.suptitle(heading)
        style.legend(figure)
        return figure

    return Study(name, title, about, tables, draw)


def _rules(table: pd.DataFrame) -> pd.DataFrame:
    here = table[(table["method"] == "squeezed") & table["asked"].str.startswith("sparsity ")]
    here = here[~here["variant"].str.contains(OF_THE_INDEX)]
    several = here.groupby("context_length")["rule"].transform("nunique") > 1
    return here[several].assign(x=here["kv_budget"])


def _pareto(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["method"] != "full"].assign(x=table["kv_budget"])


def _varied(setting: str) -> Cells:
    """Cells whose variant names a setting, with the same method at its default where that was run."""
    default = {"window": 100.0, "levels": 0.05}[setting]
    pattern = re.compile(rf"(?:^|, ){setting}=([0-9.]+)")

    def cells(table: pd.DataFrame) -> pd.DataFrame:
        here = table[(table["method"] == "squeezed") & table["depth"].eq(1)]
        values = here["variant"].str.extract(pattern, expand=False).astype(float)
        variant = here["variant"].str.replace(pattern, "", regex=True)
        rest = variant.where(variant == "", ", " + variant)
        label = here["method"] + " " + here["rule"] + rest + ", " + here["asked"]
        return here.assign(x=values.fillna(default), label=label)

    return cells


RULES = study(
    "rules",
    "Threshold, top-k and top-p",
    "The selection rules of Squeezed Attention, asked for the same sparsities, by what each really read.",
    "measured KV budget (1 = all read)",
    _rules,
)
PARETO = study(
    "pareto",
    "Accuracy against the KV budget",
    "Every method and size that was run, all subtasks together.",
    "measured KV budget (1 = all read)",
    _pareto,
)
CENTROIDS = study(
    "centroids",
    "Number of centroids",
    "One level of clusters, with another share of the keys as centroids; more of them cost more to read.",
    "centroids, share of the keys",
    _varied("levels"),
)
WINDOW = study(
    "window",
    "Observation window",
    "Last positions of the context that are always attended, and whose queries calibrate the threshold.",
    "window, tokens",
    _varied("window"),
)
