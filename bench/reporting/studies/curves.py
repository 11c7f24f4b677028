"""Studies that are one curve a method: a score along something that was varied."""

import re
from collections.abc import Callable

import pandas as pd

from bench.reporting.figures import style
from bench.reporting.figures.looks import looks
from bench.reporting.statistics.pooled import Pool, by_length
from bench.reporting.studies.base import Study, at_several, with_interval

OF_THE_INDEX = r"\b(?:levels|window|strategy|balance|index_seed)="
SHOWN = ["kv_budget", "measured_sparsity"]
Cells = Callable[[pd.DataFrame], pd.DataFrame]


def study(name: str, title: str, about: str, axis: str, cells: Cells) -> Study:
    """A study of the cells that ``cells`` picks from a pool's table, with a column ``x`` named ``axis``.

    It is of the methods that have at least two values of ``x`` at one length.
    """

    def chosen(pool: Pool) -> Pool:
        return pool.compared(at_several(cells(pool.table), "x"))

    def tables(found: Pool) -> dict[str, pd.DataFrame]:
        table = found.table[~found.table["dense"]]
        table = table.sort_values(["context_length", "label", "x"], kind="stable")
        rest = {"score (95 % CI)": with_interval(table, "score")}
        if "delta" in table:
            rest["minus full (95 % CI)"] = with_interval(table, "delta")
            rest["inside noise"] = table["inside_noise"]
        head = table[["context_length", "label", "x", *SHOWN]]
        head = head.rename(columns={"label": "method", "x": axis})
        return {"": head.assign(**rest, **table[["tasks", "n", "contexts", "complete"]])}

    @style.applied
    def draw(found: Pool, heading: str) -> style.Drawn:
        look = looks(found.table["label"])
        reasons = {length: style.silent(here) for length, here in by_length(found.table)}
        told = [part for part in by_length(found.table) if not reasons[part[0]]]
        notes = style.left_out({length: why for length, why in reasons.items() if why})
        if not told:
            return style.Drawn(None, notes)
        figure, grid = style.panels(1, len(told), width=4.2, height=3.2)
        for axes, (length, here) in zip(grid[0], told, strict=True):
            style.dense_line(axes, here[here["dense"]])
            others = here[~here["dense"]]
            band = others["label"].nunique() <= style.BANDS
            for label, runs in others.groupby("label", sort=False):
                style.curve(axes, runs["x"], runs, str(label), look[str(label)], band=band)
            axes.set_title(f"{length}, {style.questions(here)}")
            axes.set_xlabel(axis)
        grid[0][0].set_ylabel("score, 95 % interval")
        figure.suptitle(heading)
        style.legend(figure)
        return style.Drawn(figure, notes)

    return Study(name, title, about, chosen, tables, draw)


def _rules(table: pd.DataFrame) -> pd.DataFrame:
    here = table[table["clustered"] & table["asked"].str.startswith("sparsity ")]
    here = here[~here["variant"].str.contains(OF_THE_INDEX)]
    here = at_several(here, "rule", by=("length", "method"))
    return here.assign(x=here["kv_budget"])


def _varied(setting: str) -> Cells:
    """Cells whose variant names a setting, with the same method at its default where that was run."""
    default = {"window": 100.0, "levels": 0.05}[setting]
    pattern = re.compile(rf"(?:^|, ){setting}=([0-9.]+)")

    def cells(table: pd.DataFrame) -> pd.DataFrame:
        here = table[table["depth"].eq(1).fillna(False)]
        values = here["variant"].str.extract(pattern, expand=False).astype(float)
        variant = here["variant"].str.replace(pattern, "", regex=True)
        rest = variant.where(variant == "", ", " + variant)
        label = here["method"] + " " + here["rule"] + rest + ", " + here["asked"]
        return here.assign(x=values.fillna(default), label=label)

    return cells


RULES = study(
    "rules",
    "Threshold, top-k and top-p",
    "The selection rules of methods with clusters, asked for the same sparsities, by what each really read.",
    "measured KV budget (1 = all read)",
    _rules,
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
