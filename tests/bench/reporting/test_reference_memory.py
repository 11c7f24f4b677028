"""Studies of what a context takes of memory: a row a context."""

import pandas as pd

from bench.reporting.reference.tables import TABLES


def test_shares_stand_beside_the_sizes_they_are_of() -> None:
    row = {
        **{"device": "cpu", "commit": "0123", "model": "tiny", "dtype": "bfloat16", "layers": ""},
        **{"length": "32768", "threads": "1", "full_layers": "3", "kv_mb": "1234.5"},
        **{"peak_mb": "1851.7", "kept_mb": "1235", "disk_mb": "12.3", "peak_share": "1.5"},
        **{"kept_share": "1.0004", "disk_share": "0.01", "seconds": "3", "torch": "2.13.0"},
    }
    made = TABLES["memory"](pd.DataFrame([row]))
    (shown,) = made.narrow.to_dict("records")
    assert shown == {
        "model": "tiny, bfloat16",
        "tokens": "32,768",
        "layers that see them all": 3,
        "keys and values, MB": "1,234",
        "most, as a share": 1.5,
        "afterwards": 1.0004,
        "index on the disk": 0.01,
    }
    assert made.facts["n"] == "1 contexts, each in a process of its own"
