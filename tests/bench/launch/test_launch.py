"""Sweeps through Hydra's launchers: grouped by context, every run once, a killed worker loses nothing."""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra.core.plugins import Plugins
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from omegaconf import OmegaConf

from bench.cli import live, status
from bench.config.spec import IndexSpec, MethodSpec, ModelSpec, RunSpec, TaskSpec
from bench.launch import groups
from bench.launch.gpus import one_gpu
from bench.launch.groups import grouped
from bench.records.failures import record_failure
from bench.records.files import read_records
from tests.bench.lines import counts

Bench = Callable[..., Any]


def spec(tmp_path: Path, task: str, method: str, length: int | None = None) -> RunSpec:
    return RunSpec(
        model=ModelSpec("m", "p", "m", "p", "float32", "cuda", "f"),
        task=TaskSpec(name=task, label=task, prompts="suite", length=length),
        method=MethodSpec(method, (), None),
        index=IndexSpec((0.05,), 100, 0),
        results=tmp_path,
        cache_dir=None,
    )


def test_runs_on_the_same_contexts_are_one_job(tmp_path: Path) -> None:
    plan = [spec(tmp_path, task, method) for method in ("full", "random") for task in "ab"]
    assert [[each.task.name for each in group] for group in grouped(plan)] == [
        list("aa"),
        list("bb"),
    ]
    assert [len(group) for group in grouped(plan, together=False)] == [1, 1, 1, 1]


@pytest.mark.parametrize("together", [True, False])
def test_long_contexts_are_begun_first_and_failed_runs_last(tmp_path: Path, together: bool) -> None:
    lengths = {"a": 1024, "b": None, "c": 4096, "d": 4096, "e": 8192}
    plan = [spec(tmp_path, task, "full", length) for task, length in lengths.items()]
    failed = plan[-1].folder
    failed.mkdir(parents=True)
    record_failure(failed, RuntimeError("killed"), 0)
    found = [group[0].task.name for group in grouped(plan, together)]
    assert found == list("cdabe")


def test_each_process_gets_a_gpu_of_its_own(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    group = [spec(tmp_path, "a", "full")]
    with one_gpu(group, wanted=True) as first, one_gpu(group, wanted=True) as second:
        assert {first[0].model.device, second[0].model.device} == {"cuda:0", "cuda:1"}
        assert first[0].folder == group[0].folder  # the same run, wherever it happens
    with one_gpu(group, wanted=False) as same:  # SLURM has given the job its GPU
        assert same == group
    named = [
        dataclasses.replace(group[0], model=dataclasses.replace(group[0].model, device="cuda:1"))
    ]
    with one_gpu(named, wanted=True) as same:
        assert same == named
    spread = [dataclasses.replace(group[0], model=dataclasses.replace(group[0].model, spread=True))]
    with one_gpu(spread, wanted=True) as same:  # a model on all GPUs waits for none of them
        assert same == spread


SWEEP = ("method=full,random", "task.subtask=niah_single_1,niah_multikey_1")


RAY = (
    "ray_processes",
    "hydra.launcher.ray.remote.num_gpus=0",
    "hydra.launcher.ray.remote.num_cpus=1",
)
HAS_RAY = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(not HAS_RAY, reason="the extra ray is not installed")
without_ray = pytest.mark.skipif(HAS_RAY, reason="the extra ray is installed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(("processes", "hydra.launcher.n_jobs=2"), id="processes"),
        pytest.param(("local_jobs",), id="local_jobs"),
        pytest.param(RAY, id="ray_processes", marks=with_ray),
    ],
)
def test_a_launcher_runs_every_run_once_and_the_live_line_counts_them(
    bench: Bench, tmp_path: Path, launcher: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUIET", 0.05)
    preset, *settings = launcher
    done = bench("-m", *SWEEP, f"hydra/launcher={preset}", *settings)
    get_reusable_executor().shutdown()  # joblib's workers would wait for more
    assert done.code == 0, done.err
    assert "4 runs in 2 jobs" in done.out
    runs = tmp_path / "results" / "runs"
    assert [each.state for each in status.status(runs)] == ["done"] * 4
    for path in runs.rglob("records.jsonl"):
        assert len(read_records(path)) == 2
    # Each of the four contexts was prefilled and clustered by one of the two runs that need it.
    cached = [r["index_cached"] for p in runs.rglob("records.jsonl") for r in read_records(p)]
    assert sorted(cached) == [False] * 4 + [True] * 4
    told = counts(done.err)
    assert told == sorted(told, key=lambda each: each[2])
    assert max(each[1] for each in told) in (1, 2)  # what is being done elsewhere is seen here
    again = bench("-m", *SWEEP, f"hydra/launcher={preset}", *settings)
    assert again.code == 0
    assert "jobs" not in again.out  # nothing is left to start


@pytest.mark.usefixtures("no_model")
def test_a_job_that_dies_is_one_line_that_says_how_to_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As joblib says that a worker was killed; ``python -m tests.injuries`` kills real ones."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")

    class Dying:
        def launch(self, *_: Any) -> None:
            raise TerminatedWorkerError("A worker process was killed.\nExit codes: SIGKILL(-9)")

    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: Dying())
    done = bench("-m", *SWEEP, "hydra/launcher=processes", "backend=reference")
    assert done.code == 1
    (said,) = [line for line in done.err.splitlines() if "error" in line]
    assert "a job ended before its time, and 4 of 4 runs are not done" in said
    assert (
        "TerminatedWorkerError: A worker process was killed.); run the same command again" in said
    )


@pytest.mark.usefixtures("no_model")
def test_a_bad_run_is_refused_before_a_job_starts(bench: Bench, tmp_path: Path) -> None:
    result = bench("-m", "hydra/launcher=processes", "method=full,random", "method.sparsity=0.5,2")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert not list(tmp_path.rglob("records.jsonl"))


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    "preset",
    [
        "processes",
        "slurm",
        "slurm_large",
        "local_jobs",
        pytest.param("ray_processes", marks=with_ray),
    ],
)
def test_every_preset_composes(bench: Bench, preset: str) -> None:
    result = bench("-m", f"hydra/launcher={preset}", "method=full,random", "dry_run=true")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1].startswith("2 runs: 0 finished, 2 to do")


@pytest.mark.usefixtures("no_model")
def test_the_nodes_decide_what_the_login_node_cannot_tell(
    bench: Bench, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GPU on the login node auto meant its CPU on every node, and cuda was refused."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = ("-m", "hydra/launcher=slurm", "method=full,random", "dry_run=true")
    result = bench(*asked, "model.device=cuda", f"model.path={tiny}")
    assert result.code == 0, result.err
    result = bench(*asked, "model.device=auto")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "say what these have: model.device=cuda" in result.err
    here = bench("-m", "hydra/launcher=processes", *asked[2:], "model.device=cuda")
    assert here.code == 2
    assert "torch sees no GPU here" in here.err


def test_a_job_decides_its_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunSpec] = []
    monkeypatch.setattr(groups, "each_of", lambda specs, *_: asked.extend(specs) or iter(()))
    number = SimpleNamespace(job=SimpleNamespace(num=0))
    monkeypatch.setattr(groups.HydraConfig, "get", lambda: number)
    run = spec(tmp_path, "a", "full")
    on_cpu = dataclasses.replace(run, model=dataclasses.replace(run.model, device="cpu"))
    assert groups.GroupJob(((on_cpu,),), 1, here=False)(OmegaConf.create()) == ([], "")
    assert (asked[0].backend, on_cpu.backend) == ("cpu", "auto")
    wrong = dataclasses.replace(run, backend="cpu")  # on a GPU
    done, why = groups.GroupJob(((wrong,),), 1, here=False)(OmegaConf.create())
    assert (done, len(asked)) == ([], 1)
    assert "backend 'cpu' cannot run" in why


@pytest.mark.usefixtures("no_model")
def test_slurm_without_slurm_is_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = bench("-m", "hydra/launcher=slurm", "method=full,random")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "srun" in result.err


@without_ray
@pytest.mark.parametrize("launcher", ["ray_processes", "ray"])
def test_a_launcher_without_its_extra_names_the_extra(bench: Bench, launcher: str) -> None:
    result = bench("-m", f"hydra/launcher={launcher}", "method=full,random", "dry_run=true")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "pip install 'squeezed-attention-bench[ray]'" in result.err


def test_an_unknown_launcher_names_no_extra(bench: Bench) -> None:
    result = bench("-m", "hydra/launcher=nothing", "method=full,random", "dry_run=true")
    assert result.code == 2
    assert "pip" not in result.err
