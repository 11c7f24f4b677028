"""Studies of what a user waits for: a table of steps, one column for each who answers."""

import pandas as pd
import pytest

from bench.config.errors import InputError
from bench.reporting.reference.tables import TABLES


def row(what: str, who: str, ms: float, share: str, *, tokens: int = 25, batch: int = 1) -> object:
    """As a CSV is read: all of it text."""
    return {
        **{"device": "cpu", "commit": "0123", "model": "tiny", "dtype": "float32", "threads": "1"},
        **{"length": "2048", "what": what, "tokens": str(tokens), "batch": str(batch)},
        **{"who": who, "median_ms": str(ms), "cpu_share": share, "torch": "2.13.0"},
    }


def test_a_row_a_step_and_a_column_for_each_who_answers() -> None:
    rows = [
        row("context", "transformers", 12059.0, "1", tokens=2048),
        row("context", "prefill", 12102.4, "1.0039", tokens=2048),
        row("context", "index", 2577.6, "0.21391", tokens=2048),
        row("question", "floor", 282.4, "0"),
        row("question", "transformers", 527.16, "1"),
        row("question", "topk", 399.97, "0.46848"),
        row("token", "topk", 90.0, "0.5", batch=8),
    ]
    made = TABLES["waits"](pd.DataFrame(rows))
    context, index, question, token = made.narrow.to_dict("records")
    assert context["step"] == "2,048 tokens, 1 thread: context"
    assert (context["transformers"], context["full"]) == ("12,059 (1.00)", "12,102 (1.00)")
    assert index["step"] == "2,048 tokens, 1 thread: index"
    assert (index["transformers"], index["topk"]) == ("", "2,578 (0.21)")
    assert question["step"] == "2,048 tokens, 1 thread: question of 25, batch 1"
    assert (question["floor"], question["topk"]) == ("282", "400 (0.48)")
    assert token["step"] == "2,048 tokens, 1 thread: token after 25, batch 8"
    assert (token["floor"], token["topk"]) == ("", "90")
    assert made.facts["n"] == "7 timings, in turns"


def whole(topk: float) -> pd.DataFrame:
    """All steps of a context; a token takes ``topk`` ms by clusters, and 10 with transformers' cache."""
    return pd.DataFrame(
        [
            row("context", "transformers", 1000.0, "1", tokens=2048),
            row("context", "prefill", 1100.0, "1.1", tokens=2048),
            row("context", "index", 300.0, "0.3", tokens=2048),
            row("question", "floor", 5.0, "0"),
            row("question", "transformers", 50.0, "1"),
            row("question", "topk", 30.0, "0.6"),
            row("token", "transformers", 10.0, "1"),
            row("token", "topk", topk, "0.8"),
        ]
    )


def test_the_inputs_until_the_index_is_paid_are_counted() -> None:
    last = TABLES["waits"](whole(8.0)).narrow.to_dict("records")[-1]
    step = "2,048 tokens, 1 thread: inputs of 25 and 20 tokens until the index is paid"
    assert last["step"] == step
    # 400 ms more at first, 20 + 20 * 2 less for each input: 6.7 inputs
    assert (last["topk"], last["transformers"]) == ("7", "")
    never = TABLES["waits"](whole(11.0)).narrow.to_dict("records")[
        -1
    ]  # 20 ms less without 20 tokens
    assert never["topk"] == "never"


def test_they_are_counted_for_each_size_of_an_input() -> None:
    short, long = (whole(8.0).to_dict("records") for _ in range(2))
    for each in long[3:]:
        each["tokens"] = "200"
        each["median_ms"] = str(2 * float(each["median_ms"]))
    found = TABLES["waits"](pd.DataFrame(short + long[3:])).narrow
    assert list(found["topk"])[-2:] == ["7", "4"]
    tokens = found.set_index("step")["topk"]
    assert tokens["2,048 tokens, 1 thread: token after 25, batch 1"] == "8 (0.80)"
    assert tokens["2,048 tokens, 1 thread: token after 200, batch 1"] == "16 (0.80)"


def test_timings_of_two_budgets_make_no_table() -> None:
    rows = pd.DataFrame([row("token", who, 90.0, "0.5") for who in ("topk", "best")])
    with pytest.raises(InputError, match=r"several values of kv_budget: 0\.1, 0\.4"):
        TABLES["waits"](rows.assign(kv_budget=["0.1", "0.4"]))
