"""The questions on which several cells can be compared, and the cells that lack some of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Common:
    """What the cells of one length share.

    Attributes:
        questions: ``example`` of each. blank: cells that lack one of them. dense_is_blank: full attention is
            among those. notes: what is blank, and what was left out, a sentence each.
    """

    questions: frozenset[str]
    blank: frozenset[int]
    dense_is_blank: bool
    notes: tuple[str, ...]


def choose(cells: pd.DataFrame, examples: Mapping[int, pd.DataFrame]) -> Common:
    """The common questions of cells of one length, as ``Pool.compared`` says."""
    keys = ["cell", "label", "asked", "dense", "complete", "counted"]
    rows = cells[keys].drop_duplicates("cell").to_dict("records")
    tasks = {row["cell"]: frozenset(examples[row["cell"]]["subtask"]) for row in rows}
    wanted = _tasks([tasks[row["cell"]] for row in rows if not row["dense"]])
    asked = {
        cell: frozenset(here.loc[here["subtask"].isin(wanted), "example"])
        for cell in tasks
        for here in [examples[cell]]
    }
    whole = {cell for cell, has in tasks.items() if wanted <= has}
    every = frozenset().union(*(asked[cell] for cell in whole))
    fewer = {row["cell"] for row in rows if row["complete"] and row["counted"]}  # by design
    kept = {cell for cell in whole if asked[cell] == every or cell in fewer}
    questions = every.intersection(*(asked[cell] for cell in kept))
    names = {row["cell"]: " ".join(filter(None, (row["label"], row["asked"]))) for row in rows}
    reasons: dict[str, list[str]] = {}
    for cell, has in tasks.items():
        if lacks := sorted(wanted - has):
            reasons.setdefault(f"not run on {', '.join(lacks)}", []).append(names[cell])
        elif cell not in kept:
            many = f"{len(asked[cell])} of {len(every)} questions answered"
            reasons.setdefault(many, []).append(names[cell])
    notes = [f"left blank, {reason}: {'; '.join(who)}" for reason, who in reasons.items()]
    if others := sorted(frozenset().union(*tasks.values()) - wanted):
        notes.append(f"without {', '.join(others)}, which too few of these methods have answered")
    if len(questions) < len(every):
        notes.append(f"over the {len(questions)} of {len(every)} questions that all have answered")
    dense = any(row["dense"] and row["cell"] not in kept for row in rows)
    return Common(questions, frozenset(tasks.keys() - kept), dense, tuple(notes))


def _tasks(found: list[frozenset[str]]) -> frozenset[str]:
    """The set of tasks that compares most: the number of cells that have it, times its size."""

    def size(tasks: frozenset[str]) -> tuple[int, int, list[str]]:
        return len(tasks) * sum(tasks <= each for each in found), len(tasks), sorted(tasks)

    return max(set(found), key=size, default=frozenset())
