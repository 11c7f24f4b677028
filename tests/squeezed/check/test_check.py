"""The judge: that it finds what is wrong, survives what dies, and writes a table that can be read again."""

import json
import multiprocessing
import signal
from importlib.metadata import version
from pathlib import Path

import pytest
import squeezed_kernels
import torch
from transformers import AutoConfig

import squeezed
from squeezed.__main__ import main
from squeezed.check import exactness, sweep, table, variants
from squeezed.check.exactness import Plan, check, compare, own_logits
from squeezed.check.of_config import limits, report
from squeezed.check.tiny import VOCABULARY, model_types, tiny_config, tiny_model
from squeezed.check.variants import DEFAULT, ORIGINAL, judge, set_rope
from squeezed.check.verdict import CRASHED, EXACT, REFUSED, UNBUILDABLE, WRONG, Verdict
from tests import forked

DOCS = Path(__file__).parents[3] / "docs" / "models.md"
SHORT = Plan(tokens=60, questions=(4, 9), chunk=25, new=2, vocabulary=VOCABULARY)
# Types whose verdicts are made again: of each kind of attention, and of each kind of refusal.
SAMPLE = (
    *("llama", "gpt2", "gemma3_text", "gpt_oss", "deepseek_v3", "llama4_text", "gemma4_text"),
    *("roberta", "gptj", "bigbird_pegasus", "qwen4_exp_text"),
    *("bloom", "diffllama", "deepseek_v4", "openai-gpt"),
)


def test_a_model_that_differs_is_found_wrong():
    model = tiny_model(tiny_config("llama"))
    own = own_logits(model, SHORT)
    assert compare(model, own, SHORT, exactness.TOLERANCE).outcome == EXACT
    logits = (own.logits[0], own.logits[1] + 1e-2)
    other = exactness.Own(own.context, own.questions, logits)
    verdict = compare(model, other, SHORT, exactness.TOLERANCE)
    assert (verdict.outcome, verdict.reason) == (WRONG, "logits")
    assert verdict.difference > 1e-3


@pytest.mark.parametrize(("call", "named"), [(1, "greedy tokens"), (3, "tokens of a padded batch")])
def test_tokens_that_differ_are_found_wrong(monkeypatch, call, named):
    model, calls, real = tiny_model(tiny_config("llama")), [], squeezed.generate

    def generate(*args, **kwargs):
        out = real(*args, **kwargs)
        calls.append(out)
        if len(calls) == call:
            out.sequences[-1, -1] = (out.sequences[-1, -1] + 1) % VOCABULARY
        return out

    monkeypatch.setattr(squeezed, "generate", generate)
    verdict = check(model, SHORT)
    assert (verdict.outcome, verdict.reason) == (WRONG, named)


def test_an_error_of_the_engine_is_a_crash_and_one_of_the_model_is_not(monkeypatch):
    model = tiny_model(tiny_config("llama"))
    monkeypatch.setattr(squeezed, "prepare", lambda *_, **__: 1 / 0)
    assert check(model, SHORT).line() == "crashed: ZeroDivisionError: division by zero"
    monkeypatch.setattr(type(model), "forward", lambda *_, **__: 1 / 0)
    assert check(model, SHORT).outcome == UNBUILDABLE


def test_a_rope_type_is_set_and_one_that_is_not_taken_is_not_built():
    config = tiny_config("gemma3_text")
    set_rope(config, "yarn")
    assert {each["rope_type"] for each in config.rope_parameters.values()} == {"yarn"}
    assert judge("gpt2", "linear").outcome == UNBUILDABLE
    assert judge("llama", "bf16").outcome == EXACT


class Dying:
    """Stands for a worker process: dies on one job, hangs on another."""

    started = 0

    def __init__(self):
        type(self).started += 1
        self.done, self.alive = 0, True

    def ask(self, job):
        self.done += 1
        self.alive = job[0] != "b"
        return Verdict(EXACT) if self.alive else Verdict(CRASHED, "the process died")

    def stop(self):
        self.alive = False


def test_a_sweep_goes_on_after_a_death_and_is_taken_up_again(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sweep, "_Worker", Dying)
    jobs, path = [(each, DEFAULT) for each in "abcd"], tmp_path / "verdicts.jsonl"
    found = sweep.sweep(jobs, sweep.read(path), sweep.write(path))
    assert [each.outcome for each in found.values()] == [EXACT, CRASHED, EXACT, EXACT]
    assert Dying.started == 2
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2][:20]]))
    again = sweep.sweep(jobs, sweep.read(path), sweep.write(path))
    assert list(again) == jobs
    assert again == found
    assert len(capsys.readouterr().err.splitlines()) == 4 + 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_model_that_takes_too_much_processor_time_is_given_up():
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=working_for_ever, args=(there,))
    process.start()
    there.close()
    assert here.recv() == "ready"
    here.send(("llama", DEFAULT))
    with pytest.raises(EOFError):
        here.recv()
    process.join()
    assert process.exitcode == -signal.SIGPROF


def working_for_ever(pipe):
    def judge(*job):
        while True:
            pass

    sweep.WORK, variants.judge = 0.2, judge
    squeezed_kernels.compile_all = lambda *_: None
    sweep._work(pipe)


def test_a_process_judges(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "PROCESSES", forked.PROCESSES)
    path = tmp_path / "verdicts.jsonl"
    code = main(["check", "all=true", "types=bloom", f"work={path}"])
    assert code == 0
    row = json.loads(path.read_text())
    assert (row["type"], row["outcome"]) == ("bloom", REFUSED)


def test_the_table_can_be_read_again(tmp_path):
    verdicts = {
        ("llama", DEFAULT): Verdict(EXACT, "", 1e-6, "2 full"),
        ("bloom", DEFAULT): Verdict(REFUSED, "bloom | no", None, "2 full"),
        ("llama", "yarn"): Verdict(EXACT, "", 2e-6, "2 full"),
        ("llama", "linear"): Verdict(REFUSED, "llama has reasons", None, "2 full"),
        ("bloom", "yarn"): Verdict(UNBUILDABLE, "it has no RoPE"),
    }
    path = tmp_path / "models.md"
    table.write(path, verdicts)
    assert table.read(path) == (version("transformers"), {"llama": EXACT, "bloom": REFUSED})
    text = path.read_text()
    assert "2 models: 1 exact, 1 refused, 0 wrong, 0 crashed, 0 not built." in text
    assert "- refused: has reasons (llama linear)" in text


def test_the_committed_table_is_of_this_version_and_of_all_types():
    of, outcomes = table.read(DOCS)
    assert of == version("transformers"), f"run {table.COMMAND}"
    assert set(outcomes) == set(model_types())
    assert not {WRONG, CRASHED} & set(outcomes.values())


@pytest.mark.parametrize("kind", SAMPLE)
def test_the_committed_table_says_what_is_found_today(kind):
    assert judge(kind).outcome == table.read(DOCS)[1][kind]


def stored(config, folder):
    config.save_pretrained(folder)
    return str(folder)


def test_a_folder_is_judged_by_its_configuration_alone(tmp_path, capsys):
    """There are no weights in it."""
    config = tiny_config("llama4_text")
    assert main(["check", stored(config, tmp_path / "a")]) == 0
    out = capsys.readouterr().out
    assert "llama4_text: supported" in out
    assert "2 chunked 64, 2 full" in out
    assert "attention_chunk_size: 64 tokens" in out
    assert main(["check", stored(tiny_config("bloom"), tmp_path / "b")]) == 1
    assert "bloom biases attention by distance" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["check", "nobody/nothing"]) == 2
    assert "nor a model of that name in the hub's cache" in capsys.readouterr().err
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    wrong = {
        "none": "there is no such folder",
        "none.gguf": "there is no such file",
        ".": "holds no config.json",
        "adapter": "it is an adapter; give the folder of the model",
    }
    for name, reason in wrong.items():
        assert main(["check", str(tmp_path / name)]) == 2
        assert reason in capsys.readouterr().err
    assert main(["check", "all=true", "types=nonesuch"]) == 2
    assert "nonesuch: no model type; docs/models.md has them all" in capsys.readouterr().err
    assert main(["check", "all=true", "types=lama"]) == 2
    said = capsys.readouterr().err
    assert "near are llama" in said
    assert len(said) < 200  # and no list of hundreds
    for arguments in (["check"], ["check", "--all"], ["check", "all=true", "folder"]):
        assert main(arguments) == 2
        assert "cannot read" in capsys.readouterr().err


def test_what_a_configuration_is_known_for():
    found = report(tiny_config("deepseek_v32", index_topk=100))
    assert not found.reasons
    assert any("caches 16 numbers" in each for each in found.notes)
    assert any("up to as many" in each for each in found.notes)
    assert found.limits["index_topk"] == 100
    assert any("followed step by step" in each for each in report(tiny_config("gptj")).notes)
    assert report(tiny_config("gemma4_text")).layers == "1 sliding 24, 1 full, 2 on another's keys"
    assert report(AutoConfig.for_model("t5")).reasons
    config = tiny_config("phi3")
    set_rope(config, "yarn")
    assert limits(config)["original_max_position_embeddings"] == ORIGINAL


def test_a_low_precision_model_may_err_as_much_as_it_does_alone():
    model = tiny_model(tiny_config("qwen3"))
    verdict = exactness.check_low(model, SHORT, torch.bfloat16)
    assert verdict.outcome == EXACT
    assert verdict.difference > exactness.TOLERANCE
