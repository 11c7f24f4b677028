"""Results tables for people: CSV, Markdown and the terminal."""

from pathlib import Path

import pandas as pd

from bench.spec import file_name

METHOD = ["method", "rule", "depth", "asked"]
PER_RUN = ["subtask", "context_length", *METHOD, "kv_budget", "score", "score 95 % CI"]
PER_RUN += ["delta", "delta 95 % CI", "n", "contexts", "complete", "prefill_ms"]
PER_RUN += ["decode_ms_per_token", "index_bytes"]


def groups(board: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Named parts of the leaderboard that may stand in one table: never two wordings or settings.

    A name is ``model-task-prompts``, with the setting's hash behind it where that is not unique.
    """
    found = []
    settings = board.groupby(["model", "task", "prompts"])["setting"].nunique()
    for key, part in board.groupby(["model", "task", "prompts", "setting"], sort=True):
        model, task, prompts, setting = (str(each) for each in key)
        name = f"{model}-{task}-{prompts}"
        if settings[(model, task, prompts)] > 1:
            name += f"-{setting}"
        found.append((file_name(name), part))
    return found


def per_run(part: pd.DataFrame) -> pd.DataFrame:
    """One row per run, with intervals as text."""
    table = part.assign(
        **{
            "score 95 % CI": _interval(part, "score"),
            "delta 95 % CI": _interval(part, "delta"),
        }
    )
    return table[PER_RUN]


def overview(part: pd.DataFrame) -> pd.DataFrame:
    """One row per method and size, one column of scores per subtask and length, and the means.

    The mean is empty where a method has not been run on everything that stands in the table.
    """
    part = part.assign(depth=part["depth"].fillna(0), cell=_cell(part))
    first = part.groupby(METHOD, sort=False).ngroup()
    scores = part.assign(order=first).pivot_table(
        index=["order", *METHOD], columns="cell", values="score", sort=False
    )[list(dict.fromkeys(part["cell"]))]
    means = part.assign(order=first).groupby(["order", *METHOD])["kv_budget"].mean()
    table = scores.assign(mean=scores.mean(axis=1, skipna=False)).sort_index()
    table.insert(0, "kv_budget", means)
    table = table.reset_index().drop(columns="order")
    table["depth"] = table["depth"].replace(0, pd.NA)
    return table


def write(board: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes ``NAME.csv``, ``NAME.md`` (per run) and ``NAME-overview.md``; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, part in groups(board):
        for suffix, table in (("", per_run(part)), ("-overview", overview(part))):
            csv, markdown = folder / f"{name}{suffix}.csv", folder / f"{name}{suffix}.md"
            table.to_csv(csv, index=False, float_format="%.6g")
            markdown.write_text(as_markdown(table) + "\n")
            written += [csv, markdown]
    return written


def as_markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, numbers to three digits, missing values empty."""
    shown = table.astype(object).where(table.notna(), "")
    return shown.to_markdown(index=False, floatfmt=".3f", disable_numparse=False)


def _cell(part: pd.DataFrame) -> pd.Series:
    return part["subtask"].astype(str) + " " + part["context_length"].astype(str)


def _interval(part: pd.DataFrame, name: str) -> list[str]:
    bounds = zip(part[f"{name}_ci_low"], part[f"{name}_ci_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:.3f} to {high:.3f}" for low, high in bounds]
