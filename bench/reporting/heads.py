"""How unequally a method's budget is spread over layers and heads, and what each of them finds."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.config.spec import file_name
from bench.records.files import CONFIG, DIAGNOSTICS
from bench.reporting.figures import style
from bench.reporting.figures.files import write_drawn
from bench.reporting.leaderboard.rows import setting_key
from bench.reporting.output import write_table
from bench.reporting.variants import METHOD, asked, labels, variant

MEASURED = ["kv_budget", "recall", "mass", "oracle_mass"]
SHOWN = {"kv_budget": "KV budget of the head", "mass": "attention that it holds"}


def write(runs: Path, out: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Writes ``MODEL-CELL-heads``, a table and a figure, for every diagnosed model, task and length.

    ``MODEL-CELL-heads-each`` has a row a method, layer and head.
    """
    heads = load(runs)
    written = []
    for (name, setting), here in heads.groupby(["place", "setting"]) if len(heads) else ():
        several = heads.loc[heads["place"] == name, "setting"].nunique() > 1
        stem = file_name(f"{name}-{setting}" if several else str(name)) + "-heads"
        written += write_table(summary(here), out / "tables", stem, formats)
        rows = here.drop(columns=["place", "setting", *METHOD])
        written += write_table(rows, out / "tables", f"{stem}-each", formats)

        def drawn(here: pd.DataFrame = here, name: str = str(name)) -> style.Drawn:
            return style.Drawn(draw(here, name))

        written += write_drawn(drawn, [str(name), here], out / "figures", stem, formats).paths
    return written


def load(runs: Path) -> pd.DataFrame:
    """Means over questions, steps and phases of all diagnosed runs, a row a layer and head."""
    tables = []
    for path in sorted(runs.rglob(DIAGNOSTICS)):
        identity = json.loads(path.with_name(CONFIG).read_text())["identity"]
        task, method = identity["task"], identity["method"]
        rows = pd.read_csv(path)
        means = _weighted(rows).assign(
            setting=setting_key(identity),
            place=f"{identity['model']['name']}-{task['label']}-{task['length']}",
            method=method["name"],
            rule=method.get("rule", ""),
            depth=method.get("depth"),
            variant=variant(identity),
            asked=asked(method),
            questions=rows["id"].nunique(),
        )
        tables.append(means.assign(label=labels(means, size=True)))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def summary(here: pd.DataFrame) -> pd.DataFrame:
    """One row a method: means over heads, and how far the heads are apart."""
    rows = []
    for label, heads in here.groupby("label", sort=False):
        budget = heads["kv_budget"]
        rows.append(
            {
                "method": label,
                **{name: heads[name].mean() for name in MEASURED},
                "smallest head": budget.min(),
                "largest head": budget.max(),
                "variation": budget.std(ddof=0) / budget.mean(),
                "least mass": heads["mass"].min(),
                "questions": heads["questions"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


@style.applied
def draw(here: pd.DataFrame, title: str) -> Figure:
    """A column of panels a method: above what each head read, below the attention that this holds."""
    names = list(dict.fromkeys(here["label"]))
    figure, grid = style.panels(len(SHOWN), len(names), width=1.9, height=2.2)
    for row, (column, about) in enumerate(SHOWN.items()):
        image = None
        for axes, name in zip(grid[row], names, strict=True):
            values = here[here["label"] == name].pivot(index="layer", columns="head", values=column)
            image = axes.imshow(values, cmap=style.COLOURS, vmin=0, vmax=1, aspect="auto")
            axes.set_xticks(range(values.shape[1]))
            axes.set_yticks(range(values.shape[0]))
            axes.grid(visible=False)
            for (layer, head), value in np.ndenumerate(values.to_numpy()):
                colour = "black" if value > 0.55 else "white"
                axes.text(
                    head, layer, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour
                )
            if row == 0:
                axes.set_title(name.replace(", ", "\n").replace(" ", "\n", 1), fontsize=7)
        grid[row][0].set_ylabel("layer")
        if image is not None:
            figure.colorbar(image, ax=grid[row], label=about)
    for axes in grid[-1]:
        axes.set_xlabel("KV head")
    figure.suptitle(f"{title}: budget by layer and head, {here['questions'].max()} questions")
    return figure


def _weighted(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over questions and phases, each weighted by its steps."""
    found = []
    for (layer, head), group in rows.groupby(["layer", "head"]):
        means = {}
        for name in MEASURED:
            known = group[group[name].notna()]
            means[name] = np.average(known[name], weights=known["steps"]) if len(known) else np.nan
        found.append({"layer": layer, "head": head, **means})
    return pd.DataFrame(found)
