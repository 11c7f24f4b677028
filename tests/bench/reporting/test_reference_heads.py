"""Studies of heads: what each method's kept rows hold of the attention, layer by layer."""

import pandas as pd
import pytest

from bench.reporting.reference.tables import TABLES


def test_a_row_a_method_and_whole_layers_on_the_axis() -> None:
    rows = [
        {
            **{"layer": str(layer), "head": "0", "kv_budget": "0.1", "recall": str(recall)},
            **{"mass": "0.8", "oracle_mass": "0.9", "questions": "8", "label": label},
        }
        for label, recall in (("squeezed topk", 0.5), ("quest topk", 0.2))
        for layer in range(3)
    ]
    made = TABLES["heads"](pd.DataFrame(rows))
    first, second = made.narrow.to_dict("records")
    assert (first["method"], first["the oracle's keys that it keeps"]) == ("squeezed topk", 0.5)
    assert second["the oracle's keys that it keeps"] == pytest.approx(0.2)
    assert made.facts["n"] == "8 questions, 3 layers of 1 KV heads"
    assert made.figure is not None
    ticks = made.figure.axes[0].get_xticks()
    assert all(float(tick).is_integer() for tick in ticks)
