"""The door to lm-evaluation-harness where it is not installed, and tables of its results."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import lm_eval as door
from bench.config.errors import InputError
from bench.harness.table import documents, table
from bench.reporting.output import as_markdown


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


def result(folder: Path, name: str, args: dict[str, Any], **more: Any) -> None:
    """A file as the harness writes it, of gsm8k with two filters, and of a group."""
    own = {"method": "squeezed-0.2", "window": args.pop("window", 100), "tasks": {}}
    task = {"exact_match,strict-match": 0.25, "exact_match,flexible-extract": 0.5}
    found = {
        "config": {"model": "squeezed", "model_args": args, "squeezed": own, **more},
        "results": {"gsm8k": task, "mmlu": {"alias": "mmlu", "acc,none": 0.5}},
        "n-samples": {"gsm8k": {"original": 9, "effective": 4}},
        "lm_eval_version": "0.4", "transformers_version": "5",
    }  # fmt: skip
    (folder / f"results_{name}.json").write_text(json.dumps(found))


def test_no_result_replaces_another(tmp_path: Path) -> None:
    """Filters, checkpoints and windows shared a row, and a group of tasks made the folder unreadable."""
    result(tmp_path, "1", {"pretrained": "models/a"})
    result(tmp_path, "2", {"pretrained": "models/b", "records": "here"})
    result(tmp_path, "3", {"pretrained": "models/b", "records": "there"})  # the last one again
    result(tmp_path, "4", {"pretrained": "models/b", "window": 50})
    found = table(tmp_path)
    assert len(found) == 3 * 3
    strict = found[found["metric"] == "exact_match,strict-match"]
    assert strict["score"].tolist() == [0.25] * 3
    assert strict[["checkpoint", "window"]].to_numpy().tolist() == [
        ["a", "100"], ["b", "100"], ["b", "50"],
    ]  # fmt: skip
    assert "records" not in found
    group = found[found["task"] == "mmlu"]
    assert set(group["metric"]) == {"acc"}
    assert group["n"].isna().all()
    assert "nan" not in as_markdown(found)


def test_answers_of_two_filters_are_one_document(tmp_path: Path) -> None:
    result(tmp_path, "1", {"pretrained": "models/a"})
    lines = [
        {"doc_id": 0, "filter": kind, "metrics": ["exact_match"], "exact_match": score,
         "filtered_resps": [kind]}
        for kind, score in (("strict-match", 0), ("flexible-extract", 1))
    ]  # fmt: skip
    (tmp_path / "samples_gsm8k_1.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    (row,) = documents(tmp_path)
    assert row["scores"] == {"exact_match,strict-match": 0, "exact_match,flexible-extract": 1}
    assert row["checkpoint"] == "a"


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results_"):
        table(tmp_path)
    (tmp_path / "results_x.json").write_text("{}")
    with pytest.raises(InputError, match="is no file of results"):
        table(tmp_path)
