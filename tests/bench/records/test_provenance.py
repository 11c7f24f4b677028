"""Where a record comes from, without secrets; and nothing that is loaded can run code."""

import ast
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import bench as package
from bench import models
from bench.cli import report
from bench.records import provenance
from bench.records.files import read_records
from bench.records.provenance import ROOT

Bench = Callable[..., Any]
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
FOLDERS = (*sorted(PACKAGES), "kernels")


def test_a_record_says_everything_of_its_origin(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=random", "method.seed=5", "task.seed=7", "index.seed=3").code == 0
    (path,) = tmp_path.rglob("records.jsonl")
    for record in read_records(path):
        origin = record["provenance"]
        assert origin["seeds"] == {"task": 7, "index": 3, "method": 5}
        assert isinstance(origin["dirty"], bool)
        assert not origin["commit"].endswith("-dirty")
        assert origin["device"].endswith("CPU")
        assert origin["config"]["task"]["length"] == 512
        assert origin["config"]["model"]["dtype"] == "float32"
        assert record["versions"]["torch"] == torch.__version__


def test_a_build_is_named_though_its_package_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyPI's torch 2.13.0 for CUDA calls itself 2.13.0+cu130, its package 2.13.0.
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0")
    assert dict(provenance.versions.__wrapped__())["torch"] == torch.__version__


def rows(bench: Bench, folder: Path, *arguments: str) -> str:
    assert bench(*arguments, f"results={folder}").code == 0
    (path,) = folder.rglob("records.jsonl")
    (found,) = {each["provenance"]["rows"] for each in read_records(path)}
    return found


def test_the_rows_have_a_fingerprint(bench: Bench, tmp_path: Path) -> None:
    one = rows(bench, tmp_path / "1", "method=full")
    assert rows(bench, tmp_path / "2", "method=random") == one
    assert rows(bench, tmp_path / "3", "method=full", "task.seed=9") != one


def test_an_error_message_shows_no_secret(bench: Bench) -> None:
    result = bench("model=hf", "model.path=/nowhere/hf_abcdefghijklmnopqrstuv")
    assert result.code == 2
    assert "hf_abc" not in result.err
    assert "***" in result.err


def test_weights_as_a_pickle_are_refused(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in tiny.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    model, _ = models.load_model("x", path=str(tiny), device="cpu")
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    result = bench(f"model.path={folder}", "task.samples=1")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "safetensors" in result.err


def test_a_checkpoints_own_code_stays_off(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = (folder / "config.json").read_text()
    own = '"auto_map": {"AutoConfig": "own.Own"}, "model_type": "own"'
    (folder / "config.json").write_text(
        config.replace('"model_type": "llama"', own).replace('"LlamaForCausalLM"', '"Own"')
    )
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    result = bench(f"model.path={folder}", "task.samples=1")
    assert result.code in (1, 2)
    assert result.err.count("\n") == 1
    assert not ran.exists()


def test_no_source_file_unpickles_or_extracts() -> None:
    refused = {
        *("pickle.load", "pickle.loads", "torch.load", "joblib.load", "pd.read_pickle"),
        *("dill.load", "cloudpickle.load", "shutil.unpack_archive"),
    }
    methods = {"extractall"}  # of archives, where a member's name can lead out of the folder
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert {"bench", "rows", "probes", "squeezed", "squeezed_bench"} <= PACKAGES
    assert Path(str(package.__file__)) in files
    found = []
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            pickled = any(
                each.arg == "allow_pickle" and ast.unparse(each.value) != "False"
                for each in node.keywords
            )
            if name in refused or name.rpartition(".")[2] in methods or pickled:
                found.append(f"{path.relative_to(ROOT)}: {name}")
    assert not found


def test_no_file_of_results_holds_a_secret(
    bench: Bench, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in a model's name, one in the environment that a path holds too."""
    token, held = "hf_abcdefghijklmnopqrst", "corr3ct-h0rse"
    monkeypatch.setenv("MY_SERVICE_TOKEN", held)
    model = tmp_path / f"models-{held}" / "tiny"
    model.parent.mkdir()
    shutil.copytree(tiny, model)
    name = f"model.name=org/m-{token}"
    done = bench("-m", "method=full,squeezed_topk", name, f"model.path={model}")
    assert done.code == 0
    assert report.main([f"results={tmp_path / 'results'}"]) == 0
    assert token not in done.out + done.err
    for path in (*(tmp_path / "results").rglob("*"), *(tmp_path / "cache").rglob("*")):
        content = path.read_bytes().decode("latin-1") if path.is_file() else ""
        for secret in (token, held):
            assert secret not in str(path.relative_to(tmp_path)), path
            assert secret not in content, path
