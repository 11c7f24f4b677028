"""What each record measured, next to what was asked."""

import numpy as np
import pandas as pd


def lookup_budget(records: pd.DataFrame) -> pd.Series:
    """The part of the KV budget that the lookup read; NaN in records from before it was kept."""
    if "lookup_budget" not in records:
        return pd.Series(np.nan, index=records.index)
    return pd.to_numeric(records["lookup_budget"])


def measured_sparsity(records: pd.DataFrame, window: int | None) -> pd.Series:
    """Share of the clustered keys that a record really left out, whatever was asked.

    Rows read without the lookup and the window's W, over the N - W that could be left out:
    ``1 - ((kv_budget - lookup_budget) * N - W) / (N - W)``.

    Args:
        window: W; None for full attention, which leaves nothing out on purpose: NaN.
    """
    if window is None or "context_tokens" not in records:
        return pd.Series(np.nan, index=records.index)
    tokens = pd.to_numeric(records["context_tokens"])
    rows = (records["kv_budget"] - lookup_budget(records)) * tokens
    return 1 - (rows - window) / (tokens - window)
