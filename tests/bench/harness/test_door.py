"""The door to lm-evaluation-harness where it is not installed, and tables of its results."""

import importlib.util
import json
from pathlib import Path

import pytest

from bench.cli import lm_eval as door
from bench.config.errors import InputError
from bench.harness.table import table


def test_without_the_harness_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert door.main(["--tasks", "drop"]) == 2
    assert "pip install 'squeezed-attention-bench[lm-eval]'" in capsys.readouterr().err


def test_scores_stand_beside_measured_budgets(tmp_path: Path) -> None:
    for name, config in (
        ("results_1", {"model": "hf"}),
        (
            "results_2",
            {
                "model": "squeezed",
                "squeezed": {"method": "squeezed-0.2", "tasks": {"drop": {"kv_budget": 0.199}}},
            },
        ),
    ):
        found = {
            "config": config,
            "results": {"drop": {"alias": "drop", "f1,none": 0.5, "f1_stderr,none": 0.1}},
            "n-samples": {"drop": {"original": 9, "effective": 4}},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    own, ours = table(tmp_path).to_dict("records")
    assert (own["model"], own["method"], own["score"], own["n"]) == ("hf", "", 0.5, 4)
    assert (ours["kv_budget"], ours["stderr"]) == (0.199, 0.1)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results_"):
        table(tmp_path)
    (tmp_path / "results_x.json").write_text("{}")
    with pytest.raises(InputError, match="is no file of results"):
        table(tmp_path)
