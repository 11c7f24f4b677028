"""Studies of lm-evaluation-harness: full attention beside its own model, answer by answer."""

import json
from typing import Any

import pandas as pd
import pytest

from bench.config.errors import InputError
from bench.reporting.reference.tables import TABLES

CHOSEN = [[["-1.25", "True"], ["-3.5", "False"]], [["-0.5", "False"], ["-2.0", "True"]]]


def rows(model: str, task: str, answers: list[Any], scores: list[dict[str, float]]) -> list[Any]:
    """What is packed of a task, a row a document."""
    return [
        {
            **{"task": task, "document": number, "model": model, "checkpoint": "tiny"},
            **{"method": "full" if model == "squeezed" else "", "kv_budget": None},
            **{"lm_eval": "0.4", "transformers": "5.0"},
            "answer": json.dumps(answer),
            "scores": score,
        }
        for number, (answer, score) in enumerate(zip(answers, scores, strict=True))
    ]


def both(changed: list[Any], score: float = 1.0) -> pd.DataFrame:
    """Two tasks by hf, and by squeezed with answers and a score of its own to the first."""
    found = []
    for model, answers, second in (("hf", CHOSEN, 1.0), ("squeezed", changed, score)):
        scores = [{"acc": 0.0}, {"acc": second}]
        found += rows(model, "chosen", answers, scores)
        needle = {"512": 1.0, "4096": -1.0}
        found += rows(model, "niah", [["north"], ["west"]], [needle, needle])[
            :: 1 if model == "hf" else -1
        ]
    return pd.DataFrame(found)


def test_equal_models_are_said_to_be_equal() -> None:
    made = TABLES["harness-hf"](both(CHOSEN))
    chosen, needle = made.whole.to_dict("records")  # and no row of a length that is not asked
    assert (needle["metric"], needle["answered alike"], needle["requests"]) == ("512", 2, 2)
    assert (chosen["hf"], chosen["squeezed, full"], chosen["scored alike"]) == (0.5, 0.5, 2)
    assert (chosen["requests"], chosen["answered alike"], chosen["largest difference"]) == (4, 4, 0)
    assert made.facts["n"] == "4 documents, 6 requests"


def test_every_difference_shows() -> None:
    changed = [CHOSEN[0], [["-0.75", "False"], ["-2.0", "False"]]]
    chosen = TABLES["harness-hf"](both(changed, score=0.0)).narrow.iloc[0]
    assert (chosen["hf"], chosen["squeezed, full"]) == (0.5, 0.0)
    assert chosen["scored alike"] == "1 of 2"
    assert chosen["answered alike"] == "3 of 4"
    assert chosen["log-likelihoods differ by at most"] == "2.5e-01 nats"


def test_two_checkpoints_share_no_mean() -> None:
    one = both(CHOSEN)
    other = one.assign(checkpoint="large", scores=[dict.fromkeys(s, 0.0) for s in one["scores"]])
    together = pd.concat([one, other], ignore_index=True)
    whole = TABLES["harness"](together).whole
    chosen = whole[(whole["task"] == "chosen") & (whole["method"] == "full")]
    assert chosen.set_index("checkpoint")["score"].to_dict() == {"tiny": 0.5, "large": 0.0}
    assert set(whole["n"]) == {2}
    with pytest.raises(InputError, match="several checkpoints"):
        TABLES["harness-hf"](together)
    with pytest.raises(InputError, match="a document is there twice"):
        TABLES["harness"](pd.concat([one, one], ignore_index=True))


def test_documents_of_one_side_alone_are_refused() -> None:
    with pytest.raises(InputError, match="hf has answered 2 documents and squeezed 1"):
        TABLES["harness-hf"](both(CHOSEN).drop(index=5))
