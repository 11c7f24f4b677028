"""All methods and rules at equal KV budgets: what each scores, and what it really read."""

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.statistics.pooled import Pool
from bench.reporting.studies.base import Study, with_interval

LONG = ["context_length", "label", "size", "kv_budget", "lookup_budget", "score", "score_ci_low"]
LONG += ["score_ci_high", "delta", "delta_ci_low", "delta_ci_high", "p_sign", "p_wilcoxon"]
LONG += ["inside_noise", "identical", "empty", "tasks", "n", "contexts", "complete"]
FAMILY = ("squeezed", "oracle")  # first row of panels: the rules; second row: everything else


def cells(pool: Pool) -> pd.DataFrame:
    """The cells asked by ``kv_budget``, and full attention; empty without two methods so asked."""
    table = pool.table
    by_budget = table[table["asked"].str.startswith("kv_budget ")]
    if by_budget["label"].nunique() < 2:
        return by_budget.iloc[:0]
    full = table[
        (table["method"] == "full") & table["context_length"].isin(by_budget["context_length"])
    ]
    return pd.concat([full, by_budget])


def tables(pool: Pool) -> dict[str, pd.DataFrame]:
    """All cells in one long table, and for each length one wide table of text."""
    found = cells(pool)
    if found.empty:
        return {}
    long = found[[name for name in LONG if name in found]].rename(
        columns={"label": "method", "size": "asked"}
    )
    wide = {f"-{length}": _wide(here) for length, here in found.groupby("context_length")}
    return {"": long.sort_values("context_length", kind="stable"), **wide}


def _wide(here: pd.DataFrame) -> pd.DataFrame:
    """A row a method, a column a budget: score with interval, and what was read."""
    read = here["kv_budget"].map("; read {:.3f}".format)
    text = with_interval(here, "score") + read
    sizes = [f"{size:g}" for size in sorted(here["size"].dropna().unique())]
    rows: dict[str, dict[str, str]] = {}
    for label, size, cell in zip(here["label"], here["size"], text, strict=True):
        row = rows.setdefault(label, dict.fromkeys(sizes, ""))
        row |= {f"{size:g}": cell} if pd.notna(size) else dict.fromkeys(sizes, cell)
    counts = here.groupby("label", sort=False)["n"].agg(["min", "max"])
    table = pd.DataFrame([{"method": label, **row} for label, row in rows.items()])
    few, many = (counts.loc[table["method"], name].tolist() for name in ("min", "max"))
    return table.assign(
        n=[str(a) if a == b else f"{a} to {b}" for a, b in zip(few, many, strict=True)]
    )


@style.applied
def draw(pool: Pool, title: str) -> Figure:
    """A column of panels a length; above the rules of Squeezed Attention, below the other methods."""
    found = cells(pool)
    lengths = sorted(found["context_length"].unique())
    best = "squeezed topk"  # also below, to compare with
    looks = style.styles(found["label"])
    figure, grid = style.panels(2, len(lengths), height=2.9)
    for column, length in enumerate(lengths):
        here = found[found["context_length"] == length]
        family = here["method"].isin(FAMILY)
        for axes, part in zip(
            grid[:, column], (here[family], here[~family | (here["label"] == best)]), strict=True
        ):
            style.dense_line(axes, here[here["method"] == "full"])
            for label, runs in part[part["method"] != "full"].groupby("label", sort=False):
                style.curve(axes, runs["kv_budget"], runs, str(label), looks[str(label)], band=True)
            axes.set_ylim(-0.03, 1.04)
        grid[0][column].set_title(f"{length} tokens, {style.questions(here)}")
        grid[1][column].set_xlabel("measured KV budget (1 = all read)")
    grid[0][0].set_xlim(left=0)  # shared; here, where all is drawn
    grid[0][0].set_ylabel("score of the rules")
    grid[1][0].set_ylabel("score of other methods")
    figure.suptitle(f"{title}, with 95 % intervals")
    style.legend(figure)
    return figure


BUDGETS = Study(
    "budgets",
    "All methods at equal KV budgets",
    "Every method is asked for the same share of the bytes of the fixed context's keys and values, its own "
    "lookup and the window included. Beside each score stands what was really read. Cells that are missing "
    "cannot be met, for instance because a lookup alone reads more.",
    tables,
    draw,
)
