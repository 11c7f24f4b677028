"""All methods by what they read: a table at equal KV budgets, and a figure of all that was measured."""

import pandas as pd

from bench.reporting.figures import style
from bench.reporting.figures.looks import looks
from bench.reporting.statistics.pooled import Pool, by_length
from bench.reporting.studies.base import ORACLE, Study, at_several, with_interval

LONG = ["context_length", "label", "asked", "kv_budget", "lookup_budget", "score", "score_ci_low"]
LONG += ["score_ci_high", "delta", "delta_ci_low", "delta_ci_high", "p_sign", "p_wilcoxon"]
LONG += ["inside_noise", "identical", "empty", "tasks", "n", "contexts", "complete"]
ASKED = "kv_budget "  # how the sizes of the equal budgets begin


def cells(pool: Pool) -> Pool:
    """All cells of the lengths at which a method has two budgets, or two methods were asked for the same."""
    table = pool.table[~pool.table["dense"]]
    equal = table[table["asked"].str.startswith(ASKED)]
    equal = at_several(equal, "label", by=("length", "asked"))
    lengths = {*at_several(table, "kv_budget")["length"], *equal["length"]}
    return pool.compared(table[table["length"].isin(lengths)])


def tables(found: Pool) -> dict[str, pd.DataFrame]:
    """All cells in one long table, and for each length one wide table of text, a column an equal budget.

    ``oracle_delta`` of the long one: the score minus the oracle's at the same size, question by question.
    """
    table = found.table
    long = table[[name for name in LONG if name in table]].rename(columns={"label": "method"})
    beside = found.beside(ORACLE)
    if beside["delta"].notna().any():
        long = pd.concat([long, beside.add_prefix("oracle_")], axis=1)
    wide = {}
    for length, here in by_length(table):
        here = here[here["dense"] | here["asked"].str.startswith(ASKED)]
        if not here["dense"].all():
            wide[f"-{length.removesuffix(' tokens').replace(' ', '-')}"] = _wide(here)
    return {"": long, **wide}


def _wide(here: pd.DataFrame) -> pd.DataFrame:
    """A row a method, a column a budget: score with interval, and what was read."""
    read = [f"; read {budget:.3f}" if pd.notna(budget) else "" for budget in here["kv_budget"]]
    text = with_interval(here, "score") + read
    sizes = [f"{size:g}" for size in sorted(here["size"].dropna().unique())]
    rows: dict[str, dict[str, str]] = {}
    for label, size, cell in zip(here["label"], here["size"], text, strict=True):
        row = rows.setdefault(label, dict.fromkeys(sizes, ""))
        row |= {f"{size:g}": cell} if pd.notna(size) else dict.fromkeys(sizes, cell)
    shown = here[here["score"].notna()]
    table = pd.DataFrame([{"method": label, **row} for label, row in rows.items()])
    counts = shown.groupby("label")["n"].max()
    return table.assign(n=table["method"].map(counts).astype("Int64"))


@style.applied
def draw(found: Pool, title: str) -> style.Drawn:
    """A column of panels a length; above the methods with clusters, below the others and the best above."""
    table = found.table
    reasons, lengths = {}, []
    for length, here in by_length(table):
        if reason := style.silent(here):
            reasons[length] = reason
        else:
            lengths.append((length, here))
    if not lengths:
        return style.Drawn(None, style.left_out(reasons))
    longest = lengths[-1][1]
    clustered = longest[longest["clustered"] & longest["score"].notna()]
    best = clustered.groupby("label", sort=False)["score"].mean().nlargest(1).index
    parts = {
        "methods with clusters": table["clustered"],
        "other methods": ~(table["clustered"] | table["dense"]),
    }
    parts = {name: part for name, part in parts.items() if part.any()}
    look = looks(table["label"])
    figure, grid = style.panels(len(parts), len(lengths), height=2.9)
    for number, (line, (name, part)) in enumerate(zip(grid, parts.items(), strict=True)):
        beside = table["label"].isin(best)  # also below, to compare with
        for axes, (length, here) in zip(line, lengths, strict=True):
            style.dense_line(axes, here[here["dense"]])
            shown = here[(part | beside)[here.index]]
            band = shown["label"].nunique() <= style.BANDS
            for label, runs in shown.groupby("label", sort=False):
                style.curve(axes, runs["kv_budget"], runs, str(label), look[str(label)], band=band)
            if number == 0:
                axes.set_title(f"{length}, {style.questions(here)}")
        line[0].set_ylabel(f"score of\n{name}")
    for axes in grid[-1]:
        axes.set_xlabel("measured KV budget (1 = all read)")
    widest = max(here.loc[~here["dense"], "kv_budget"].max() for _, here in lengths)
    grid[0][0].set_xlim(
        0, 1.05 * widest
    )  # shared, as the heights; room also where all read the same
    style.heights(grid[0][0], table)
    figure.suptitle(f"{title}, with 95 % intervals")
    style.legend(figure)
    return style.Drawn(figure, style.left_out(reasons))


BUDGETS = Study(
    "budgets",
    "Score against the KV budget",
    "What every method scores and what it really read, its lookup and the window included. Where methods "
    "were asked for the same share of the bytes of the fixed context's keys and values, a table sets them "
    "side by side. Empty cells cannot be met, for instance because a lookup alone reads more, or lack "
    "questions that the others have.",
    cells,
    tables,
    draw,
)
