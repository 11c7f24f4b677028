"""Tables as the page shows them: text in cells, of long and wide ones only what matters."""

from typing import Any

import pandas as pd

from bench.reporting.studies.base import with_interval

ROWS, COLUMNS = 40, 8  # of a study's table on the page; the CSV has all
MINOR = [
    *("lookup_budget", "measured_sparsity", "p_sign", "p_wilcoxon", "inside_noise", "identical"),
    *("empty", "tasks", "contexts", "complete", "delta_ci_low", "delta_ci_high"),
    *("score_ci_low", "score_ci_high", "index_bytes", "index, bytes"),
    *("oracle_delta_ci_low", "oracle_delta_ci_high"),
]


def whole(table: pd.DataFrame) -> dict[str, Any]:
    """The table's header and its cells as text, numbers to three digits, missing values empty."""
    rows = table.astype(object).where(table.notna(), "").to_numpy().tolist()
    return {"header": list(map(str, table.columns)), "rows": [[_text(v) for v in r] for r in rows]}


def important(table: pd.DataFrame) -> dict[str, Any]:
    """As ``whole``, at most ``ROWS`` and ``COLUMNS``; ``cut``: what is not shown, in words."""
    shown = table
    for name in ("score", "delta", "oracle_delta"):
        if f"{name}_ci_low" in shown:
            shown = shown.assign(**{name: with_interval(shown, name)})
    shown = shown.drop(columns=[name for name in MINOR if name in shown])
    if "context_length" in shown and shown["context_length"].nunique(dropna=False) == 1:
        shown = shown.drop(columns="context_length")
    shown = shown.iloc[:ROWS, :COLUMNS]
    lines = f"{len(table)} rows" if len(shown) < len(table) else ""
    columns = f"{table.shape[1]} columns" if shown.shape[1] < table.shape[1] else ""
    return whole(shown) | {"cut": " and ".join(filter(None, (lines, columns)))}


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
