"""Batches of questions, questions to calibrate on, and every method from the command line."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import squeezed
from bench.records.files import read_records
from bench.records.provenance import fingerprint

Bench = Callable[..., Any]
SEVERAL = ("task.subtask=niah_multikey_2", "task.questions_per_context=3", "task.max_new_tokens=4")


def all_records(folder: Path) -> dict[str, dict[str, Any]]:
    return {r["id"]: r for p in folder.rglob("records.jsonl") for r in read_records(p)}


def test_batches_change_no_answer(bench: Bench, tmp_path: Path) -> None:
    method = ("method=squeezed_topk", "method.sparsity=0.6")
    one, two = tmp_path / "one", tmp_path / "two"
    assert bench(*SEVERAL, *method, f"results={one}").code == 0
    assert bench(*SEVERAL, *method, f"results={two}", "batch_size=2").code == 0
    alone, together = all_records(one), all_records(two)
    assert alone.keys() == together.keys()
    assert {record["batch"] for record in together.values()} == {1, 2}  # three questions a context
    for key, record in alone.items():
        assert together[key]["prediction"] == record["prediction"]
        assert together[key]["kv_budget"] == pytest.approx(record["kv_budget"], abs=1e-6)


def test_records_say_what_the_checkpoint_itself_asks_for(
    bench: Bench, tiny: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(tiny, changed)
    settings = {"repetition_penalty": 1.3, "num_beams": 3}
    (changed / "generation_config.json").write_text(json.dumps(settings))
    assert bench("method=full", "task.samples=1", f"model.path={changed}").code == 0
    (record,) = all_records(tmp_path).values()
    assert record["checkpoint_applied"] == ["repetition_penalty"]
    assert record["checkpoint_ignored"] == ["num_beams"]


def test_questions_to_calibrate_on_are_not_scored(bench: Bench, tmp_path: Path) -> None:
    result = bench(*SEVERAL, "method=squeezed", "method.calibration_inputs=1")
    assert result.code == 0
    assert len(all_records(tmp_path)) == 2 * (3 - 1)
    assert "4 examples" in result.out


def test_thresholds_can_be_calibrated_on_pieces_of_the_document(
    bench: Bench, tmp_path: Path
) -> None:
    settings = (*SEVERAL, "method=squeezed", "method.sparsity=0.5")
    assert bench(*settings, f"results={tmp_path / 'window'}").code == 0
    here = f"results={tmp_path / 'pieces'}"
    assert bench(*settings, "method.calibration_pieces=2", here).code == 0
    window, pieces = all_records(tmp_path / "window"), all_records(tmp_path / "pieces")
    assert len(pieces) == len(window) == 2 * 3  # every question is scored
    read = [[record["kv_budget"] for record in each.values()] for each in (window, pieces)]
    assert read[0] != read[1]


def test_thresholds_are_calibrated_on_one_thing(bench: Bench, no_model: None) -> None:
    both = ("method.calibration_inputs=1", "method.calibration_pieces=2")
    result = bench(*SEVERAL, "method=squeezed", *both)
    assert result.code == 2
    assert "are both given" in result.err


def test_a_static_choice_is_made_once_a_context_and_its_time_is_the_contexts(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, real = [], squeezed.SnapKV.selectors

    def slow(self: squeezed.SnapKV, *args: Any) -> Any:
        made.append(1)
        time.sleep(0.6)
        return real(self, *args)

    assert bench(*SEVERAL, "method=snapkv", f"results={tmp_path / 'before'}").code == 0
    monkeypatch.setattr(squeezed.SnapKV, "selectors", slow)
    assert bench(*SEVERAL, "method=snapkv", f"results={tmp_path / 'slow'}").code == 0
    assert len(made) == 2  # for two contexts with three questions each
    before, after = all_records(tmp_path / "before"), all_records(tmp_path / "slow")
    for key, record in after.items():
        assert record["index_cached"]
        assert record["prepare_ms"] > record["dense_ms"] + 500
        assert record["prepare_ms"] > record["method_ms"] > 500
        for same in ("prediction", "score", "kv_budget", "dense_ms"):
            assert record[same] == before[key][same]


def test_a_method_that_cannot_be_used_on_a_context_is_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("the context kept no queries")

    monkeypatch.setattr(squeezed.SnapKV, "selectors", refuse)
    result = bench("method=snapkv")
    assert result.code == 2
    assert "cannot use the method on this context: the context kept no queries" in result.err


def test_no_question_left_to_score(bench: Bench, no_model: None) -> None:
    result = bench(*SEVERAL, "method=squeezed", "method.calibration_inputs=3")
    assert result.code == 2
    assert "raise task.questions_per_context" in result.err


@pytest.mark.parametrize("name", sorted({*squeezed.METHODS, "squeezed_topp", "squeezed_residual"}))
def test_every_method_has_a_config_and_runs(bench: Bench, tmp_path: Path, name: str) -> None:
    assert bench(f"method={name}", "task.samples=1", "task.max_new_tokens=1").code == 0
    (record,) = all_records(tmp_path).values()
    assert (record["kv_budget"] == 1) == (name == "full")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("method.scope=galaxy", "scope is 'galaxy'"),
        ("method.levels=[0.5,0.1]", "expected coarse to fine"),
        ("method.depth=9", "method.depth is 9"),
        ("method.coarse_sparsity=1.5", "coarse_sparsity is 1.5"),
        ("method.top_p=0.5", "use method.rule=topp"),
        ("index.strategy=sideways", "expected one of bottom-up, top-down"),
        ("index.balance=0.5", "index.balance is 0.5"),
        ("batch_size=0", "batch_size is 0"),
        ("backend=quantum", "backend is 'quantum'"),
    ],
)
def test_bad_settings_get_one_line(
    bench: Bench, no_model: None, setting: str, message: str
) -> None:
    result = bench("method=squeezed", setting)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_hierarchy_is_another_run_than_its_levels(bench: Bench, tmp_path: Path) -> None:
    shared = ("method=squeezed_topk", "task.samples=1", "task.max_new_tokens=1")
    assert bench("-m", *shared, "method.depth=1,2,3").code == 0
    assert bench(*shared, "method.levels=[0.02,0.1]").code == 0
    assert len(list(tmp_path.rglob("records.jsonl"))) == 4


def test_only_what_decides_outputs_enters_a_checkpoints_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = fingerprint.__wrapped__(tmp_path)
    (tmp_path / "training.json").write_text('{"steps": 1}')
    (tmp_path / "README.md").write_text("a card")
    assert fingerprint.__wrapped__(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    assert fingerprint.__wrapped__(tmp_path) != before
