"""Where the time of a step goes: the table of a study of the kind ``profile``."""

import pandas as pd

from bench.reporting.reference.made import Made
from bench.reporting.reference.waits import SERVERS, require_one, step_of, where_from


def made(rows: pd.DataFrame) -> Made:
    """Milliseconds of each part of a step, a column a server, and their sum.

    Raises:
        InputError: rows of several models or budgets.
    """
    require_one(rows)
    types = {"length": int, "tokens": int, "batch": int, "threads": int, "ms": float}
    table = rows.astype(types)
    table["step"] = [step_of(row) for row in table.to_dict("records")]
    wide = table.pivot_table(
        index=["step", "part"], columns="who", values="ms", aggfunc="first", sort=False
    )
    sums = wide.groupby("step", sort=False).sum(min_count=1)
    sums.index = pd.MultiIndex.from_product([sums.index, ["together"]], names=["step", "part"])
    order = list(dict.fromkeys(table["step"]))
    both = pd.concat([wide, sums]).reset_index()
    both["place"] = both["step"].map(order.index)
    shown = both.sort_values("place", kind="stable").drop(columns="place")
    named = [who for who in SERVERS if who in wide]
    for who in named:
        shown[who] = ["" if pd.isna(ms) else f"{ms:,.1f} ms" for ms in shown[who]]
    facts = {
        **where_from(rows),
        "n": f"{len(wide)} parts of {len(order)} steps, of {len(named)} servers",
    }
    narrow = shown[["step", "part", *named]].reset_index(drop=True).rename_axis(columns=None)
    return Made(rows, narrow, None, facts)
