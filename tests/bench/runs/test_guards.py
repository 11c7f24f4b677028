"""What a sweep needs is told beforehand, and refused when it cannot be had."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.config.spec import IndexSpec, ModelSpec
from bench.models.shapes import Shape, shape_of, together
from bench.runs import guards
from bench.runs.guards import index_bytes
from bench.runs.index_cache import IndexCache
from squeezed.check.tiny import tiny_config
from squeezed.model.shape import Heads

Bench = Callable[..., Any]


def with_free(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free)))


def test_the_estimate_of_an_index_is_what_it_takes(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=full", "task.length=2048").code == 0
    real = IndexCache(tmp_path / "cache").size() / 2
    shape = Shape(layers=2, query_heads=2, kv_heads=1, head=16, dtype="float32")
    told = index_bytes(shape, 2048, IndexSpec((0.05,), 100, 0))
    assert 0.8 * real < told < 1.6 * real  # a row has fewer tokens than its limit


def test_llama_3_1_8b_at_128k() -> None:
    shape = Shape(layers=32, query_heads=32, kv_heads=8, head=128, dtype="bfloat16")
    assert shape.token_bytes == 131072  # 128 KiB a token, 16 GiB at 128K
    size = index_bytes(shape, 131072, IndexSpec((0.05,), 100, 0))
    assert 1.02 < size / (131072 * shape.token_bytes) < 1.06


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        # numbers differ between layers; two share
        ("gemma4_text", Shape(1, 4, 2, 32, "float32", alike=False)),
        # latent attention, expanded; two slide
        ("dots3_note_text", Shape(2, 4, 4, 24, "float32", alike=False)),
        ("gpt_oss", Shape(2, 4, 2, 16, "float32", alike=False)),  # two slide
        ("lfm2", Shape(2, 4, 2, 16, "float32")),  # two keep a state and no keys
        ("llama", Shape(2, 4, 2, 16, "float32")),
    ],
)
def test_the_shape_is_that_of_the_layers_with_an_index(
    tmp_path: Path, kind: str, shape: Shape
) -> None:
    tiny_config(kind).save_pretrained(tmp_path)
    spec = ModelSpec("hf", str(tmp_path), "m", str(tmp_path), "float32", "cpu", "f")
    assert shape_of(spec) == shape


def test_the_shape_is_that_of_the_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of sizes read the newest commit, whatever was asked for."""
    hub = tmp_path / "models--some--model"
    (hub / "refs").mkdir(parents=True)
    for name, kind in (("main", "llama"), ("v1", "gpt_oss")):
        commit = name[0] * 40
        tiny_config(kind).save_pretrained(hub / "snapshots" / commit)
        (hub / "refs" / name).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    spec = ModelSpec("hf", "some/model", "m", "some/model", "float32", "cpu", "f")
    assert shape_of(spec) == Shape(2, 4, 2, 16, "float32")
    pinned = dataclasses.replace(spec, revision="v1")
    assert shape_of(pinned) == Shape(2, 4, 2, 16, "float32", alike=False)


def test_layers_of_different_heads_hold_as_much_together() -> None:
    shape = together([Heads(8, 2, 64), Heads(4, 4, 96)], "float32")
    assert shape is not None
    assert shape.token_bytes == 2 * 4 * (2 * 64 + 4 * 96)
    assert together([], "float32") is None


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("free", "arguments", "message"),
    [
        (100, (), "the records take about 7 kB"),
        (100e6, ("task.samples=1000",), "cache_max_gb="),
        (1e12, ("cache_max_gb=0.0001",), "one context's index takes about"),
        (1e12, ("cache_max_gb=0",), "cache_max_gb is 0"),
    ],
)
def test_what_cannot_fit_is_refused_before_a_model_is_loaded(
    bench: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    with_free(monkeypatch, free)
    result = bench("method=full", *arguments)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert message in result.err
    assert not list(tmp_path.rglob("records.jsonl"))


def test_a_cap_makes_it_fit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, 70e6)  # of which 64 MiB are kept for records
    many = ("method=full", "task.samples=2", "task.length=1024")
    monkeypatch.setattr(guards, "index_bytes", lambda *a: 5 * 10**6)
    assert bench(*many).code == 2
    monkeypatch.setattr(guards, "index_bytes", lambda *a: 1 * 10**6)
    assert bench(*many, "cache_max_gb=0.002").code == 0


@pytest.mark.usefixtures("no_model")
def test_a_context_that_memory_cannot_hold_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "host_memory", lambda: 10**5)
    result = bench("method=full")
    assert result.code == 2
    assert "of memory; use a shorter task.length" in result.err


def test_a_dry_run_tells_the_needs(bench: Bench) -> None:
    result = bench("-m", "method=full,random", "dry_run=true")
    (line,) = [each for each in result.out.splitlines() if each.startswith("records about")]
    assert "indexes of 2 contexts" in line  # two runs share them
