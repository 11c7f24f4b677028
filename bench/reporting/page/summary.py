"""What the results of a group say, in a few sentences."""

import pandas as pd

from bench.reporting.statistics.compare import LEAST_CONTEXTS, Comparison
from bench.reporting.statistics.pooled import CELL, Pool, by_length
from bench.reporting.studies.base import with_interval

KEEPS = 0.95  # share of full attention's score that counts as kept
NEAR = 1.1  # times the budget: up to here another method reads about as much
# Methods that choose by exact scores at no cost: no alternatives, but what a lookup could reach.
BOUNDS = frozenset({"oracle"})
COLUMNS = {"length": "length", "label": "method", "asked": "asked", "kv_budget": "read (budget)"}


def together(pool: Pool) -> Pool:
    """All cells of a group on the same questions of each length; full attention where it is alone."""
    found = pool.compared(pool.table)
    return found if len(found.table) else pool


def table(found: Pool) -> pd.DataFrame:
    """The main table of the page: what each method read, scored and lost, on the same questions."""
    cells = found.table
    shown = cells[list(COLUMNS)].rename(columns=COLUMNS).assign(score=with_interval(cells, "score"))
    if "delta" in cells:
        shown["minus full"] = with_interval(cells, "delta").where(~cells["dense"], "")
        words = cells["inside_noise"].map({True: "inside the noise", False: "larger than noise"})
        words = words.where(cells["contexts"] >= LEAST_CONTEXTS, "too few contexts")
        shown["difference"] = words.where(~cells["dense"] & cells["delta"].notna(), "")
    if cells["length"].nunique() == 1:
        shown = shown.drop(columns="length")
    return shown.assign(n=cells["n"])


def sentences(found: Pool) -> list[str]:
    """Two to four sentences on what ``together`` holds; where there are several lengths, on the longest."""
    lengths = by_length(found.table)
    numbered = [part for part in lengths if part[1]["context_length"].notna().all()]
    longest, here = (numbered or lengths)[-1]
    dense = [
        f"{row['score']:.3f}{_interval(row, 'score')}" + (f" at {length}" if numbered else "")
        for length, part in lengths
        for row in part[part["dense"] & part["score"].notna()].to_dict("records")[:1]
    ]
    said = [
        f"Full attention scores {', '.join(dense)}." if dense else "There is no full attention."
    ]
    others = here[~here["dense"] & here["score"].notna()]
    if others.empty:
        return [*said, *_size(here)]
    full = here.loc[here["dense"], "score"]
    reference = float(full.iloc[0]) if len(full) and pd.notna(full.iloc[0]) else None
    clustered = others[others["clustered"]]
    ours = _best(clustered if len(clustered) else others, reference)
    at = f"At {longest}, " if len(lengths) > 1 else ""
    said.append(_kept(at, ours, reference))
    rivals = others[~others["clustered"] & ~others["method"].isin(BOUNDS)]
    if len(clustered) and len(rivals):
        rival = _rival(rivals, float(ours["kv_budget"]))
        both = found.against(ours[CELL], rival[CELL])
        said.append(_beside(rival, float(ours["kv_budget"]), both))
    return [*said, *_size(others)]


def _best(cells: pd.DataFrame, reference: float | None) -> dict:
    """The cell that reads least of those that keep the score; where none does, the highest score."""
    kept = cells[cells["score"] >= KEEPS * reference] if reference else cells.iloc[:0]
    if len(kept):
        return kept.sort_values("kv_budget", kind="stable").iloc[0].to_dict()
    return cells.sort_values("score", ascending=False, kind="stable").iloc[0].to_dict()


def _rival(cells: pd.DataFrame, budget: float) -> dict:
    """The best of the others that read about as much or less; where none does, the one that reads least."""
    near = cells[cells["kv_budget"] <= NEAR * budget]
    if len(near):
        return near.sort_values("score", ascending=False, kind="stable").iloc[0].to_dict()
    return cells.sort_values("kv_budget", kind="stable").iloc[0].to_dict()


def _kept(at: str, ours: dict, reference: float | None) -> str:
    """What our best method scores, what it reads for that, and how sure the difference from full is."""
    name, reads = _name(ours), f"{ours['kv_budget']:.3f} of the bytes"
    if not reference:
        return f"{at}{name} scores {ours['score']:.3f} and reads {reads}."
    kind = "of the methods with clusters" if ours["clustered"] else "of the methods"
    share = f"{ours['score']:.3f}, {ours['score'] / reference:.1%} of full attention's score"
    if ours["score"] >= KEEPS * reference:
        text = f"{at}{kind} that keep {KEEPS:.0%} of that, {name} reads least: {reads}. It scores {share}"
    else:
        text = f"{at}none {kind} keeps {KEEPS:.0%} of that. The best, {name}, reads {reads}, and "
        text += f"scores {share}"
    if pd.notna(ours.get("delta")):
        sure = _sure(ours["inside_noise"], ours["contexts"])
        text += f"; the difference, {ours['delta']:+.3f}{_bounds(ours)}, is {sure}"
    return f"{text[0].upper()}{text[1:]}."


def _beside(rival: dict, budget: float, both: Comparison | None) -> str:
    """The best alternative, and ours against it on the same questions."""
    near = rival["kv_budget"] <= NEAR * budget
    which = "The best other method at about as many bytes or fewer" if near else "No other method"
    which += "" if near else " reads so little; the one that reads least"
    text = (
        f"{which}, {_name(rival)}, scores {rival['score']:.3f} and reads {rival['kv_budget']:.3f}"
    )
    if both is None:
        return f"{text}."
    delta = both.delta
    bounds = "" if pd.isna(delta.low) else f" ({-delta.high:+.3f} to {-delta.low:+.3f})"
    sure = _sure(both.inside_noise, rival["contexts"])
    return f"{text}; its difference from the first, {-delta.mean:+.3f}{bounds}, is {sure}."


def _size(cells: pd.DataFrame) -> list[str]:
    contexts = int(cells["contexts"].max())
    few = f"These are {int(cells['n'].max())} questions on {contexts} context{'s'[: contexts != 1]}"
    if contexts < LEAST_CONTEXTS:
        return [f"{few}: too few to show any difference."]
    return [f"{few}."]


def _sure(noise: bool, contexts: int) -> str:
    if contexts < LEAST_CONTEXTS:
        return "of too few contexts to be told from noise"
    return "inside the noise" if noise else "larger than the noise"


def _name(row: dict) -> str:
    return ", ".join(part for part in (row["label"], row["asked"]) if part)


def _interval(row: dict, name: str) -> str:
    low, high = row[f"{name}_ci_low"], row[f"{name}_ci_high"]
    return "" if pd.isna(low) else f" ({low:.3f} to {high:.3f})"


def _bounds(row: dict) -> str:
    low, high = row["delta_ci_low"], row["delta_ci_high"]
    return "" if pd.isna(low) else f" ({low:+.3f} to {high:+.3f})"
