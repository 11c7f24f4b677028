"""What each record measured, next to what was asked."""

import numpy as np
import pandas as pd


def numbers(column: pd.Series) -> np.ndarray:
    """A column's numbers as float64; NaN where there is none."""
    return np.asarray(column.to_numpy(), dtype=float)


def each_part(records: pd.DataFrame, column: str) -> np.ndarray:
    """A time of questions that were answered together, as each one's part of it, so that rows with other
    numbers of them can be compared."""
    times = numbers(records[column])
    return (
        times / np.nan_to_num(numbers(records["batch"]), nan=1.0) if "batch" in records else times
    )


def batch(records: pd.DataFrame) -> str:
    """How many questions were answered together; several numbers are joined by ``+``, and so show."""
    known = pd.to_numeric(records["batch"]).dropna() if "batch" in records else ()
    return "+".join(str(n) for n in sorted({int(n) for n in known}))


def mean(values: np.ndarray) -> float:
    """The mean of the numbers among float64 values; NaN where there is none."""
    known = ~np.isnan(values)
    count = int(known.sum())
    return float(np.where(known, values, 0.0).sum() / count) if count else float("nan")


def lookup_budget(records: pd.DataFrame) -> pd.Series:
    """The part of the KV budget that the lookup read; NaN in records from before it was kept."""
    if "lookup_budget" not in records:
        return pd.Series(np.nan, index=records.index)
    return pd.Series(numbers(records["lookup_budget"]), index=records.index)


def measured_sparsity(records: pd.DataFrame, window: int | None) -> pd.Series:
    """Share of the clustered keys that a record really left out, whatever was asked.

    Rows read without the lookup and the window's W, over the N - W that could be left out:
    ``1 - ((kv_budget - lookup_budget) * N - W) / (N - W)``.

    Args:
        window: W; None for full attention, which leaves nothing out on purpose: NaN.
    """
    if window is None or "context_tokens" not in records:
        return pd.Series(np.nan, index=records.index)
    tokens = numbers(records["context_tokens"])
    rows = (numbers(records["kv_budget"]) - lookup_budget(records).to_numpy()) * tokens
    return pd.Series(1 - (rows - window) / (tokens - window), index=records.index)
