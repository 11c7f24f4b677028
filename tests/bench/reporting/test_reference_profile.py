"""Studies of where the time of a step goes: a row a part, and their sum."""

import pandas as pd

from bench.reporting.reference.tables import TABLES


def rows():
    shared = {
        "model": "m", "dtype": "float32", "commit": "c", "device": "d", "torch": "2", "threads": "1",
        "length": "4096", "tokens": "25", "batch": "1",
    }  # fmt: skip
    times = {
        ("token", "topk", "loops"): "3.0",
        ("token", "topk", "products"): "1.25",
        ("token", "floor", "loops"): "0.0",
        ("token", "floor", "products"): "1.5",
        ("question", "topk", "loops"): "7.0",
        ("question", "topk", "products"): "2.0",
    }
    for (what, who, part), ms in times.items():
        yield {**shared, "what": what, "who": who, "part": part, "ms": ms}


def test_parts_of_a_step_and_their_sum():
    made = TABLES["profile"](pd.DataFrame(rows()))
    found = {
        (row["step"].split(": ")[1], row["part"]): (row["floor"], row["topk"])
        for row in made.narrow.to_dict("records")
    }
    token = "token after 25, batch 1"
    assert found[token, "products"] == ("1.5 ms", "1.2 ms")
    assert found[token, "together"] == ("1.5 ms", "4.2 ms")
    assert found["question of 25, batch 1", "together"] == ("", "9.0 ms")
    assert list(made.narrow["part"]) == ["loops", "products", "together"] * 2
    assert made.facts["n"] == "4 parts of 2 steps, of 2 servers"
