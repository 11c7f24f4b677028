"""Folders of runs keep their names: records of earlier versions are found again."""

import dataclasses
from typing import Any

import pytest

from bench.cli.validate import to_spec
from bench.config.schema import Config, IndexConf, MethodConf, ModelConf
from bench.config.spec import ModelSpec
from bench.tasks.ruler import RulerConf

MODEL = ModelSpec("m", None, "m", "m", "float32", "cpu", "0123456789abcdef")
# As commit f683714 named them.
FOLDERS: list[tuple[dict[str, Any], str]] = [
    ({"name": "full"}, "full-352b732f"),
    ({}, "squeezed-threshold-sparsity0.9-22f7ea2d"),
    (
        {"rule": "topk", "depth": 2, "sparsity": 0.8},
        "squeezed-topk-depth2-sparsity0.8-e0d5ec82",
    ),
    ({"rule": "topp", "top_p": 0.5}, "squeezed-topp-top_p0.5-8fa9386e"),
    (
        {"levels": [0.1], "kv_budget": 0.2, "residual": True, "rule": "topk"},
        "squeezed-topk-kv_budget0.2-residual-True-20474b73",
    ),
    (
        {"depth": 3, "coarse_sparsity": [0.5, 0.7], "coarse_score": "spread"},
        "squeezed-threshold-depth3-sparsity0.9-coarse_score-spread-coarse_sparsity---0.5--0.7---f3c95125",
    ),
    (
        {"calibration_inputs": 1, "sparsity": 0.7},
        "squeezed-threshold-sparsity0.7-calibrated1-88a80e84",
    ),
    ({"name": "oracle", "kv_tokens": 100}, "oracle-topk-kv_tokens100-70fc9be4"),
    ({"name": "quest", "page": 8}, "quest-topk-sparsity0.9-page-8-8ec1db7c"),
    ({"name": "snapkv", "observe": "input"}, "snapkv-sparsity0.9-observe-input-b437e636"),
    ({"name": "streaming", "sinks": 8}, "streaming-sparsity0.9-sinks-8-e51680ab"),
    ({"name": "random", "seed": 3}, "random-sparsity0.9-seed-3-743af544"),
    ({"name": "h2o", "recent": 0.25}, "h2o-sparsity0.9-recent-0.25-c3abee59"),
    (
        {"dense_layers": 2, "scope": "head"},
        "squeezed-threshold-sparsity0.9-dense_layers-2-scope-head-e4285daf",
    ),
]


@pytest.mark.parametrize(("method", "folder"), FOLDERS, ids=[name for _, name in FOLDERS])
def test_a_run_has_the_folder_that_it_had(
    method: dict[str, Any], folder: str, tmp_path: Any
) -> None:
    rows = {"length": 512, "samples": 2, "questions_per_context": 2, "subtask": "niah_multikey_2"}
    config = Config(
        model=ModelConf(name="mini"),
        task=RulerConf(**rows),
        method=MethodConf(**method),
        index=IndexConf(),
        results=str(tmp_path),
    )
    assert dataclasses.replace(to_spec(config), model=MODEL).folder.name == folder
