"""The command line: bad input is one line and exit code 2, before any model is loaded."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.runs import run

Bench = Callable[..., Any]

BAD = [
    (["method.sparsity=1"], "sparsity is 1.0"),
    (["method.sparsity=-0.1"], "sparsity is -0.1"),
    (["method.sparsity=much"], "'much'"),
    (["method.sparsity=0.5", "method.kv_budget=0.2"], "one way only"),
    (["method.rule=luck"], "'luck'"),
    (["method.depth=9"], "method.depth is 9"),
    (["method=foo"], "no method 'foo'; known: adakv,"),
    (["method.name=foo"], "unknown method 'foo'"),
    (["task=foo"], "no task 'foo'"),
    (["task.subtask=foo"], "unknown task.subtask 'foo'"),
    (["task.prompts=foo"], "'foo'"),
    (["task.essays=/nowhere.txt"], "/nowhere.txt"),
    (["task.samples=0"], "task.samples is 0"),
    (["task.questions_per_context=0"], "task.questions_per_context is 0"),
    (["task.length=100"], "more than the observation window"),
    (["task.length=150"], "too short for niah_single_1"),
    (["model=foo"], "no model 'foo'"),
    (["model=hf", "model.path=null"], "no model given"),
    (["model.name=foo", "model.path=null"], "unknown model 'foo'"),
    (["model.path=/nowhere"], "/nowhere"),
    (["model.dtype=int8"], "'int8'"),
    (["model.device=toaster"], "'toaster'"),
    (["model.device=cpu", "model.spread=true"], "model.device is 'cpu'"),
    (["model.threads=0"], "model.threads is 0"),
    (["index.window=0"], "index.window is 0"),
    (["method.colour=red"], "unknown key 'method.colour'\n"),
    (["method.sparsty=0.9"], "unknown key 'method.sparsty'; did you mean method.sparsity?"),
    (["+method.sparsty=0.9"], "unknown key 'method.sparsty'; did you mean method.sparsity?"),
    (["++method.sparsty=0.9"], "unknown key 'method.sparsty'; did you mean method.sparsity?"),
    (["sparsity=0.9"], "unknown key 'sparsity'; did you mean method.sparsity?"),
    (["method.sparsity"], "a setting is written method.sparsity=VALUE"),
    (["--cfg"], "unknown flag --cfg"),
    (["method=squezed"], "did you mean squeezed?"),
    (["method=full,quest"], "method=full,quest has several values; -m runs each of them"),
    (["method=full", "method.depth=3"], "full has no method.depth"),
    (["method=streaming", "method.rule=topk"], "streaming has no method.rule"),
    (["method=streaming", "method.rule=nonsense"], "method.rule is 'nonsense'"),
    (["-m", "method=full,streaming", "method.rule=nonsense"], "method.rule is 'nonsense'"),
    (["method=full", "method.calibration_inputs=1"], "full has no method.calibration_inputs"),
    (
        ["method=squeezed_topk", "method.calibration_pieces=3"],
        "squeezed without thresholds (rule=topk, top_p) has no method.calibration_pieces; leave it out",
    ),
    (["method=quest", "method.rule=threshold"], "which quest has no calibration for"),
    (["task=longbench", "task.length=512"], "task.length: Key 'length'"),
    (["task.hops=3"], "task.subtask: task niah_single_1 has no parameter 'hops'"),
    (["task.haystack=hay"], "task.haystack is 'hay'"),
    (["task.prompts=./x.py"], "task.prompts: unknown prompt set"),
    (["model.path=/etc/hostname"], "is a file; expected the folder"),
    (["minutes=0"], "minutes is 0.0; expected a number above 0"),
    (["backend=gpu"], "backend is 'gpu'"),
    (["task.length=("], "task.length='\"(\"'"),
    (["method=quest", "method.kv_budget=0.1"], "ask for at least kv_budget="),
    (["method=quest", "method.kv_budget=0.1", "dry_run=true"], "ask for at least kv_budget="),
    (["method.kv_tokens=9"], "a budget of 9 of"),
    (["method.kv_tokens=5000"], "and the context has"),
    (["method.levels=[0.001]"], "has no cluster"),
    (["experiment=foo"], "no experiment 'foo'"),
    (["results=/dev/null/x"], "cannot write to the results folder"),
]


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input(bench: Bench, arguments: list[str], message: str) -> None:
    result = bench(*arguments)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("error: ")
    assert message in result.err
    assert result.out == ""


@pytest.mark.usefixtures("no_model")
def test_one_bad_job_stops_a_sweep_before_its_first_run(bench: Bench, tmp_path: Path) -> None:
    result = bench("-m", "method.sparsity=0.5,0.6,1.5")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "sparsity is 1.5" in result.err
    assert not list(tmp_path.rglob("records.jsonl"))


def test_exit_code_of_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "method.sparsity=1.5", f"results={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "sparsity is 1.5" in done.stderr


def test_a_sweep_runs_each_run_once(bench: Bench, tmp_path: Path) -> None:
    result = bench("-m", "method=full,squeezed", "method.rule=topk,threshold", "task.samples=1")
    assert result.code == 0
    lines = [line for line in result.out.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]
    assert len(list(tmp_path.rglob("records.jsonl"))) == 3


def test_the_experiment_sweeps_by_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []

    def pretend(spec: run.RunSpec) -> run.Outcome:
        planned.append(spec)
        return run.Outcome(1.0, 0.5, 1, 0.0, 0)

    monkeypatch.setattr("bench.runs.work.execute", pretend)
    result = bench("experiment=mini", "task.length=2048", "task.max_new_tokens=null")
    assert result.code == 0
    assert {spec.method.name for spec in planned} == {"full", "squeezed", "oracle", "streaming"}
    cells = {(spec.task.subtask, spec.task.length) for spec in planned}
    assert len(cells) == 3
    for cell in cells:
        here = [s for s in planned if (s.task.subtask, s.task.length) == cell]
        assert sum(spec.method.name == "full" for spec in here) == 1
        squeezed = {s.method.slug for s in here if s.method.name == "squeezed"}
        assert squeezed == {
            f"squeezed-{rule}-sparsity{s}" for rule in ("topk", "threshold") for s in (0.7, 0.9)
        }


@pytest.mark.usefixtures("no_model")
def test_a_sweep_says_where_there_are_no_thresholds_to_calibrate(bench: Bench) -> None:
    sweep = ("method=squeezed,squeezed_topk", "method.calibration_pieces=0,3", "dry_run=true")
    result = bench("-m", *sweep)
    assert result.code == 0
    where = "squeezed without thresholds (rule=topk, top_p) has no method.calibration_pieces"
    assert result.err == f"{where}: ignored there\n"
    assert result.out.splitlines()[-1].startswith("3 runs")


@pytest.mark.usefixtures("no_model")
def test_questions_to_calibrate_on_count_only_where_there_is_a_rule(bench: Bench) -> None:
    settings = ("method.rule=threshold", "method.calibration_inputs=30", "dry_run=true")
    result = bench("-m", "method=streaming,random", *settings)
    assert result.code == 0
    assert "streaming and random have no method.calibration_inputs: ignored there" in result.err


@pytest.mark.usefixtures("no_model")
def test_a_sweep_names_once_what_some_methods_do_not_have(bench: Bench) -> None:
    sweep = ("method=full,streaming,squeezed", "method.rule=topk,threshold", "dry_run=true")
    result = bench("-m", *sweep)
    assert result.code == 0
    assert result.err == "full and streaming have no method.rule: ignored there\n"
    assert result.out.splitlines()[-1].startswith("4 runs")


@pytest.mark.usefixtures("no_model")
def test_what_a_file_of_a_method_says_is_not_given_by_the_user(bench: Bench) -> None:
    result = bench("method=hsq90", "dry_run=true")  # its sparsity and levels
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1].startswith("1 run: 0 finished, 1 to do; 1 run without")


@pytest.mark.parametrize("name", ["a=b", "x#1", "1e5", "two words", "a,b", "(x", "it's"])
def test_results_may_have_any_name(bench: Bench, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    done = bench("method=full", "task.samples=1", f"results={folder}")
    assert done.code == 0, done.err
    (hint,) = [line for line in done.out.splitlines() if line.startswith("records: ")]
    assert hint.startswith(f"records: {folder}/runs; next: squeezed-bench report ")
    assert shlex.split(hint.partition("next: ")[2])[-1] == f"results={folder}"
    assert list(folder.rglob("records.jsonl"))


def test_the_users_own_folder_is_found(
    bench: Bench, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").symlink_to(tiny)
    assert bench("method=full", "task.samples=1", "results=~/r", "model.path=~/model").code == 0
    assert list((tmp_path / "r").rglob("records.jsonl"))
