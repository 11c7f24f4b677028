"""What a user waits for: the table of a study of the kind ``waits``."""

import math
from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.reference.made import Made, several

SERVERS = ("floor", "transformers", "full", "topk", "best")  # in the order of the columns
ANSWER = 20  # tokens of an answer, where user inputs are counted


def made(rows: pd.DataFrame) -> Made:
    """What a user waits for: milliseconds, and what is above the floor as a share of transformers' own.

    Of the clock: with two threads the processor's time counts threads that wait for work.

    Raises:
        InputError: rows of several models or budgets.
    """
    require_one(rows)
    types = {"length": int, "tokens": int, "batch": int, "threads": int, "median_ms": float}
    table = rows.astype(types)
    table["step"] = [step_of(row) for row in table.to_dict("records")]
    table["beside"] = table["step"].str.replace(": index", ": context")
    wide = table.pivot_table(index="beside", columns="who", values="median_ms", aggfunc="first")
    floor = table["beside"].map(wide["floor"]).fillna(0.0)
    share = (table["median_ms"] - floor) / (table["beside"].map(wide["transformers"]) - floor)
    table["cell"] = [
        f"{ms:,.0f}" + (f" ({part:.2f})" if part > 0 else "")
        for ms, part in zip(table["median_ms"], share, strict=True)
    ]
    # A context is prefilled for every method, and an index is made for those that choose.
    table["who"] = table["who"].replace({"prefill": "full", "index": "topk"})
    shown = table.pivot_table(
        index="step", columns="who", values="cell", aggfunc="first", sort=False, fill_value=""
    )
    order = [who for who in SERVERS if who in shown]
    shown = pd.concat([shown[order].reset_index(), *_paid(table)], ignore_index=True).fillna("")
    facts = {**where_from(rows), "n": f"{len(rows)} timings, in turns"}
    return Made(rows, shown.rename_axis(columns=None), None, facts)


def require_one(rows: pd.DataFrame) -> None:
    """Checks that timings are of one model and one budget, as a step has one row.

    Raises:
        InputError: they are of several.
    """
    for name in ("model", "dtype", "kv_budget"):
        if name in rows and rows[name].nunique() > 1:
            raise InputError(
                f"timings of several values of {name}: {several(rows[name])}; pack each apart"
            )


def where_from(rows: pd.DataFrame) -> dict[str, str]:
    """What rows of timed steps say of where they come from, by name."""
    return {
        "model": f"{several(rows['model'])}, {several(rows['dtype'])}",
        "commit": several(rows["commit"]),
        "machine": several(rows["device"]),
        "libraries": f"torch {several(rows['torch'])}",
    }


def _paid(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """After how many user inputs, one at a time, a context has cost less than with transformers' own cache.

    What clusters cost more before the first input (our prefill and the index, against transformers' prefill),
    over what each input with an answer of ``ANSWER`` tokens costs less. ``never``: an input costs no less.
    """
    contexts: dict[tuple[int, int], dict[str, float]] = {}
    asked: dict[tuple[int, int, int], dict[tuple[str, str], float]] = {}
    for row in table[table["batch"] == 1].to_dict("records"):
        where = row["length"], row["threads"]
        if row["what"] == "context":
            contexts.setdefault(where, {})[row["who"]] = row["median_ms"]
        else:
            ms = asked.setdefault((*where, row["tokens"]), {})
            ms[row["what"], row["who"]] = row["median_ms"]
    for (length, threads, tokens), ms in sorted(asked.items()):
        context = contexts.get((length, threads), {})
        servers = ("transformers", "topk")
        steps = {(what, who) for what in ("question", "token") for who in servers}
        if not {*servers, "full"} <= context.keys() or not steps <= ms.keys():
            continue  # not timed whole
        # Before the first input: our prefill, and the index.
        more = context["full"] + context["topk"] - context["transformers"]
        theirs, ours = (ms["question", who] + ANSWER * ms["token", who] for who in servers)
        inputs = f"inputs of {tokens} and {ANSWER} tokens"
        step = f"{_where(length, threads)}: {inputs} until the index is paid"
        gain = theirs - ours
        paid = f"{max(math.ceil(more / gain), 0):,}" if gain > 0 else "never"
        yield pd.DataFrame([{"step": step, "topk": paid}])


def step_of(row: dict[Hashable, Any]) -> str:
    """What is waited for, in words."""
    where = _where(row["length"], row["threads"])
    if row["what"] == "context":
        return f"{where}: {'index' if row['who'] == 'index' else 'context'}"
    size = "of" if row["what"] == "question" else "after"
    return f"{where}: {row['what']} {size} {row['tokens']}, batch {row['batch']}"


def _where(length: int, threads: int) -> str:
    return f"{length:,} tokens, {threads} thread{'s' * (threads > 1)}"
