"""Tables of the made sets: every control beside the floor, and scores by the share of the context that
is needed."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from bench.config.spec import CLOSED_BOOK, file_name
from bench.reporting.leaderboard.rows import CELL, Run, is_control, settings
from bench.reporting.output import as_csv, write_table, write_text
from bench.reporting.statistics.intervals import score_mean
from bench.reporting.variants import DENSE, METHOD, labels
from probes.generate import TASK

FINEST = 10  # densities below 2 ** -FINEST are one class
ANSWERED = 0.5  # score from which full attention has answered a question
KEPT = 0.85  # share of the base score that a length must keep to be effective (NoLiMa, section 4.2)
# What the cells of one table differ in: a set with many kinds has more questions than its subtask.
DIFFER = (*CELL, "empty", "questions_per_context")
ABOUT = ["subtask", "kind", "context_length"]


def by_group(runs: list[Run], board: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The questions of all runs of one model with equal seeds, sizes and wordings, whatever their set: name,
    one row a question asked of a method. Where names are alike, the setting's hash stands behind.

    Columns: ``ABOUT``, ``METHOD``, ``label`` (with size), ``empty``, ``id``, ``context``, ``score``,
    ``kv_budget``, ``density``, ``floor``, and ``full``: full attention's score of the question.
    """
    own = [run for run in runs if run[0]["task"]["name"] == TASK]
    identities = {
        folder: (setting, identity["task"], records)
        for (identity, records, folder), setting in zip(own, settings(own, DIFFER), strict=True)
    }
    asked = board[board["task"] == TASK]
    found: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for _, run in asked.assign(label=labels(asked, size=True)).iterrows():
        setting, task, records = identities[run["run"]]
        about = {name: run[name] for name in (*METHOD, "label", "subtask", "context_length")}
        meta = pd.DataFrame(list(records["meta"]), index=records.index)
        table = records[["id", "context", "score", "kv_budget"]].assign(
            **about, **{name: meta[name] for name in ("kind", "density", "floor")}
        )
        table["empty"] = bool(task["empty"])
        name = f"{run['model']}-{TASK}-{task['samples']}x{task['each']}-seed{task['seed']}"
        name += CLOSED_BOOK if is_control(task) else ""
        found.setdefault((file_name(name), setting), []).append(table)
    names = [name for name, _ in found]
    return [
        (name if names.count(name) == 1 else f"{name}-{setting}", _with_full(pd.concat(parts)))
        for (name, setting), parts in sorted(found.items())
    ]


def _with_full(table: pd.DataFrame) -> pd.DataFrame:
    keys = [*ABOUT, "id"]
    full = table[table["method"] == DENSE].drop_duplicates(keys).set_index(keys)["score"]
    return table.join(full.rename("full"), on=keys)


def controls(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each kind of questions and length: the floor, full attention on a context without evidence
    (``empty``), and every method on the context."""
    empty = table[table["empty"] & (table["method"] == DENSE)]
    # The rows of an empty context have another subtask, but are the same questions.
    empty = empty.assign(subtask=empty["subtask"].str.removesuffix("-empty"))
    guessed = empty.groupby(ABOUT)["score"].mean()
    shown = table[~table["empty"]]
    order = list(dict.fromkeys(shown["label"]))
    scores = shown.pivot_table(index=ABOUT, columns="label", values="score", sort=False)[order]
    first = shown.groupby(ABOUT, sort=False).agg(
        floor=("floor", "mean"), density=("density", "mean"), n=("id", "nunique")
    )
    first.insert(1, "empty", guessed.reindex(first.index))
    return first.join(scores).reset_index()


def by_density(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each length, method, size and class of densities, over the questions that full
    attention answers.

    Columns: ``context_length``, ``METHOD``, ``label``, ``density_from`` and ``density_to``; means
    ``kv_budget``, ``density`` and ``score`` with its interval; ``n``. Questions that need nothing (a
    count of none) are left out.
    """
    table = table[~table["empty"] & (table["density"] > 0) & (table["full"] >= ANSWERED)]
    table = table.assign(part=[density_class(each) for each in table["density"]])
    rows: list[dict[str, Any]] = []
    keys = ["context_length", *METHOD, "label", "part"]
    for values, here in table.groupby(keys, sort=False, dropna=False):
        cell = dict(zip(keys, values, strict=True))
        part = int(str(cell.pop("part")))
        score = score_mean(here["score"], here["context"])
        rows.append(
            {
                **cell,
                "density_from": 0.0 if part == FINEST else 2.0 ** -(part + 1),
                "density_to": 2.0**-part,
                "density": here["density"].mean(),
                "kv_budget": here["kv_budget"].mean(),
                "score": score.mean,
                "score_ci_low": score.low,
                "score_ci_high": score.high,
                "n": len(here),
            }
        )
    found = pd.DataFrame(rows)
    if found.empty:
        return found
    return found.sort_values(["context_length", "density_from"], kind="stable", ignore_index=True)


def effective_lengths(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each kind of questions, where there are several lengths: how far every method carries.

    ``base`` is full attention's score at the shortest length. A method's effective length is the longest one
    up to which each of its scores is at least ``KEPT`` of the base (NoLiMa, arXiv 2502.05167, whose base is
    the best of its short lengths); 0 if the shortest one is not. So what a method loses against full
    attention at a short length counts, too.
    """
    shown = table[~table["empty"]]
    scores = shown.pivot_table(
        index=["subtask", "kind"], columns=["label", "context_length"], values="score", sort=False
    )
    rows: list[dict[str, Any]] = []
    for place, (subtask, kind) in enumerate(scores.index.to_list()):
        here = scores.iloc[place]
        by_method = {
            label: here[label].dropna().sort_index() for label in dict.fromkeys(shown["label"])
        }
        full = by_method.get(DENSE)
        if full is None or len(full) < 2:
            continue
        base = float(full.iloc[0])
        row: dict[str, Any] = {"subtask": subtask, "kind": kind, "base": base}
        for label, curve in by_method.items():
            held = (curve >= KEPT * base).cummin() if base > 0 else curve < 0
            row[str(label)] = int(curve.index[held].max()) if held.any() else 0
        rows.append(row)
    return pd.DataFrame(rows)


def density_class(density: float) -> int:
    """k for densities above ``2 ** -(k + 1)`` up to ``2 ** -k``; ``FINEST`` for all that are lower."""
    return min(FINEST, max(0, math.floor(-math.log2(density))))


def write(groups: list[tuple[str, pd.DataFrame]], folder: Path) -> list[Path]:
    """Writes ``NAME-controls``, ``-effective`` and ``-density`` for every group; returns the paths."""
    paths = []
    for name, table in groups:
        paths += write_table(controls(table), folder, f"{name}-controls")
        if len(effective := effective_lengths(table)):
            paths += write_table(effective, folder, f"{name}-effective")
        if len(density := by_density(table)):
            paths.append(write_text(folder / f"{name}-density.csv", as_csv(density)))
    return paths
