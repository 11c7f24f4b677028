"""Runs on a random model: what is recorded, what is shared, and what a kill costs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import squeezed
from bench import models
from bench.config.spec import IndexSpec, ModelSpec
from bench.records.files import read_records
from bench.runs import contexts, questions
from tests import forked

Bench = Callable[..., Any]


def only_records(folder: Path) -> Path:
    (path,) = folder.rglob("records.jsonl")
    return path


def test_a_record_says_how_it_came_about(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=squeezed", "method.rule=topk", "method.sparsity=0.5").code == 0
    path = only_records(tmp_path)
    records = read_records(path)
    assert len(records) == 2
    for record in records:
        assert 0.5 < record["kv_budget"] < 0.8
        assert record["new_tokens"] <= 2
        assert record["prefill_ms"] > 0
        assert record["prepare_ms"] > 0
        assert record["index_bytes"] > 0
        assert record["meta"]["prompts"] == "suite"
        assert record["versions"]["torch"] == torch.__version__
        assert 0 <= record["score"] <= 1
        assert record["context_tokens"] + record["question_tokens"] <= 512
    assert path.parent.parent.name == "ruler-niah_single_1-512"
    assert path.parent.name.startswith("squeezed-topk-sparsity0.5-")


def test_full_reads_everything(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=full", "task.samples=1").code == 0
    assert read_records(only_records(tmp_path))[0]["kv_budget"] == 1.0


def test_a_method_that_is_not_quite_the_authors_says_so(bench: Bench) -> None:
    sizes = ("method.sparsity=0.5", "method.sinks=4", "method.own.local=60")
    result = bench("method=duo_attention", *sizes, "task.samples=1")
    assert result.code == 0
    assert "warning: " in result.out
    assert "ranked by a stand-in" in result.out


def test_a_file_of_a_method_that_is_not_there_is_missed_before_a_model_is_loaded(
    bench: Bench, tmp_path: Path
) -> None:
    result = bench("method=duo_attention", f"method.own.pattern={tmp_path / 'none.tsv'}")
    assert result.code == 2
    assert result.err.startswith("error: method duo_attention: pattern is ")
    assert "is no file; give the authors' file" in result.err
    assert not list(tmp_path.rglob("records.jsonl"))


def test_questions_on_one_context_share_one_index(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = []
    prepare = squeezed.prepare
    monkeypatch.setattr(squeezed, "prepare", lambda *a, **k: prepared.append(1) or prepare(*a, **k))
    result = bench(
        "-m",
        *("method=squeezed,streaming", "method.sparsity=0.5,0.7"),
        *("task.subtask=niah_multikey_2", "task.questions_per_context=3"),
    )
    assert result.code == 0
    assert len(prepared) == 2  # four runs of two contexts with three questions each
    for path in tmp_path.rglob("records.jsonl"):
        records = read_records(path)
        assert [record["context"] for record in records] == sorted(
            (record["context"] for record in records),
            key=[record["context"] for record in records].index,
        )
        assert len({record["context"] for record in records}) == 2
        assert len(records) == 6


def test_context_and_question_are_joined_as_ids(tiny: Path) -> None:
    tokenizer = questions.loaded_tokenizer(str(tiny))
    model = ModelSpec("x", str(tiny), "x", str(tiny), "float32", "cpu", "f")
    task = _task()
    for context in questions.contexts(model, task):
        row = context.examples[0].row
        ids = context.ids[0].tolist()
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.bos_token_id) == 1
        assert tokenizer.decode(ids[1:]) == row.context
        question = context.examples[0].question_ids[0].tolist()
        assert tokenizer.decode(question) == row.question + row.answer_prefix


@pytest.mark.usefixtures("bench")
def test_a_damaged_index_is_built_again(tiny: Path, tmp_path: Path, capsys: Any) -> None:
    model, _ = models.load_model("mini", path=str(tiny), device="cpu")
    ids = torch.arange(100, 400)[None]
    spec, label = IndexSpec((0.05,), 100, 0), ModelSpec("", "", "", "", "float32", "cpu", "f")

    def prepare() -> contexts.Prepared:
        return contexts.prepare(model, ids, spec, label, tmp_path)

    first, second = prepare(), prepare()
    assert (first.cached, second.cached) == (False, True)
    assert second.prepare_ms == first.prepare_ms
    assert torch.equal(second.context.layers[0].keys, first.context.layers[0].keys)
    (path,) = tmp_path.rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert not prepare().cached
    assert "is built again" in capsys.readouterr().out
    assert prepare().cached


def test_a_full_disk_costs_the_cache_not_the_run(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(squeezed.FixedContext, "save", no_space)
    result = bench("task.samples=1")
    assert result.code == 0
    assert "No space left" in result.out
    assert len(read_records(only_records(tmp_path))) == 1


def test_a_killed_run_goes_on_where_it_was(
    bench: Bench, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["task.samples=10", "task.questions_per_context=2", "task.max_new_tokens=16"]
    command = ["bench", f"model.path={tiny}", "model.device=cpu", "task.length=512"]
    command += [f"results={tmp_path / 'results'}", f"cache_dir={tmp_path / 'cache'}"]
    process = forked.start(*command, *settings)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        found = list(tmp_path.rglob("records.jsonl"))
        if found and found[0].read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.01)
    process.kill()
    path = only_records(tmp_path)
    left = path.read_bytes()
    left = left[: left.rfind(b"\n") + 1]
    done = left.count(b"\n")
    assert 3 <= done < 20, "the run was not killed midway"

    result = bench(*settings)
    assert result.code == 0
    assert f"20 examples, {done} of them from before" in result.out
    assert path.read_bytes().startswith(left)
    records = read_records(path)
    assert len({record["id"] for record in records}) == len(records) == 20

    whole = path.read_bytes()
    questions.loaded_model.cache_clear()
    monkeypatch.setattr(models, "load_model", lambda *a, **k: pytest.fail("a model was loaded"))
    again = bench(*settings)
    assert again.code == 0
    assert "20 of them from before" in again.out
    assert path.read_bytes() == whole


def test_a_damaged_record_is_answered_again(bench: Bench, tmp_path: Path) -> None:
    assert bench().code == 0
    path = only_records(tmp_path)
    before = {each["id"]: each["prediction"] for each in read_records(path)}
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first[:40] + b"\xff" + first[41:] + b"\n" + second + b"\n")
    result = bench()
    assert result.code == 0
    assert "moved 1 damaged lines" in result.out
    assert {each["id"]: each["prediction"] for each in read_records(path)} == before


def test_the_summary_matches_the_records(bench: Bench, tmp_path: Path) -> None:
    assert bench("method.rule=topk").code == 0
    path = only_records(tmp_path)
    summary = json.loads(path.with_name("summary.json").read_text())
    records = read_records(path)
    assert summary["examples"] == 2
    assert summary["kv_budget"] == pytest.approx(sum(r["kv_budget"] for r in records) / 2)


def _task() -> Any:
    from bench.cli.validate import task_spec
    from bench.tasks.ruler import RulerConf

    return task_spec(RulerConf(length=512, samples=2))


def test_a_finished_run_mends_its_configuration_and_a_record_without_a_field(
    bench: Bench, tmp_path: Path
) -> None:
    assert bench("method=full").code == 0
    (records,) = tmp_path.rglob("records.jsonl")
    config = records.with_name("config.json")
    wanted, answers = config.read_bytes(), read_records(records)
    for content in (None, b"{"):
        config.unlink()
        if content:
            config.write_bytes(content)
        assert bench("method=full").code == 0
        assert config.read_bytes() == wanted
    lines = [dict(each) for each in answers]
    del lines[0]["kv_budget"]
    records.write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert bench("method=full").code == 0
    mended = read_records(records)
    assert {each["id"]: each["kv_budget"] for each in mended} == {
        each["id"]: each["kv_budget"] for each in answers
    }
