"""No two variants share a name, and the defaults have none."""

from typing import Any

import pandas as pd
import pytest

from bench.reporting.variants import asked, labels, variant

INDEX = {"window": 100, "seed": 0, "strategy": "bottom-up", "balance": None, "levels": [0.05]}
TOPK = {"name": "squeezed", "rule": "topk", "depth": 1, "sparsity": 0.9, "reduce": "mean"}


def identity(method: dict[str, Any], **index: Any) -> dict[str, Any]:
    return {"method": method, "index": {**INDEX, **index}}


@pytest.mark.parametrize(
    ("method", "index", "text"),
    [
        (TOPK, {}, ""),
        ({**TOPK, "residual": True}, {}, "residual=True"),
        ({**TOPK, "residual": True, "reduce": "max"}, {}, "reduce=max, residual=True"),
        ({**TOPK, "calibration_inputs": 6}, {}, "calibration_inputs=6"),
        ({**TOPK, "coarse_sparsity": 0.5, "depth": 2}, {"levels": [0.01, 0.05]}, ""),
        ({**TOPK, "coarse_sparsity": [0.5, 0.8]}, {}, "coarse_sparsity=0.5/0.8"),
        (TOPK, {"window": 50}, "window=50"),
        (TOPK, {"seed": 3, "strategy": "top-down"}, "index_seed=3, strategy=top-down"),
        (TOPK, {"levels": [0.1]}, "levels=0.1"),
        ({"name": "snapkv", "observe": "input", "queries": 64}, {}, "observe=input"),
        ({"name": "gone", "strength": 2}, {}, "strength=2"),
    ],
)
def test_variant(method: dict[str, Any], index: dict[str, Any], text: str) -> None:
    assert variant(identity(method, **index)) == text


def test_full_of_old_records_has_no_index() -> None:
    assert variant({"method": {"name": "full"}}) == ""


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ({"sparsity": 0.9}, "sparsity 0.9"),
        ({"kv_tokens": 4096}, "kv_tokens 4096"),
        ({"rule": "topp", "top_p": 0.95}, "top_p 0.95"),
        ({}, ""),
    ],
)
def test_asked(method: dict[str, Any], text: str) -> None:
    assert asked(method) == text


def test_labels() -> None:
    table = pd.DataFrame(
        [
            ("full", "", pd.NA, "", ""),
            ("squeezed", "topk", 2, "residual=True", "sparsity 0.9"),
        ],
        columns=["method", "rule", "depth", "variant", "asked"],
    )
    assert list(labels(table)) == ["full", "squeezed topk depth 2, residual=True"]
    assert labels(table, size=True)[1].endswith("residual=True, sparsity 0.9")
