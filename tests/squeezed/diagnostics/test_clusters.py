"""How evenly an index spreads its keys."""

import pytest

from squeezed.diagnostics.clusters import cluster_rows


def test_cluster_rows(deep):
    rows = cluster_rows(deep[2])
    assert len(rows) == 3 * 2 * 2  # layers, levels, heads
    for row in rows:
        counts = deep[2].layers[row["layer"]].levels[row["level"]].counts[row["head"]]
        assert row["clusters"] == len(counts) == (20, 100)[row["level"]]
        assert row["mean"] * row["clusters"] == 2000
        assert row["largest_share"] == pytest.approx(int(counts.max()) / 2000)
        assert row["empty"] == 0
        assert row["median"] == pytest.approx(counts.double().quantile(0.5).item())
