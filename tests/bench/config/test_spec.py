"""What makes two configurations the same run."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bench.cli.validate import to_spec
from bench.config.schema import Config, IndexConf, MethodConf, ModelConf
from bench.config.spec import RunSpec
from bench.tasks.ruler import RulerConf


@pytest.fixture
def base(tiny: Path, tmp_path: Path) -> Config:
    return Config(
        model=ModelConf(path=str(tiny), device="cpu"),
        task=RulerConf(length=512, samples=2),
        method=MethodConf(sparsity=0.9),
        index=IndexConf(),
        results=str(tmp_path),
    )


def changed(config: Config, group: str, **changes: Any) -> RunSpec:
    return to_spec(
        dataclasses.replace(
            config, **{group: dataclasses.replace(getattr(config, group), **changes)}
        )
    )


@pytest.mark.parametrize(
    ("group", "change"),
    [
        ("task", {"length": 513}),
        ("task", {"subtask": "niah_multikey_2"}),
        ("task", {"samples": 3}),
        ("task", {"seed": 1}),
        ("task", {"questions_per_context": 2}),
        ("task", {"max_new_tokens": 3}),
        ("method", {"sparsity": 0.8}),
        ("method", {"rule": "topk"}),
        ("method", {"name": "oracle"}),
        ("method", {"sparsity": None, "kv_budget": 0.5}),
        ("model", {"dtype": "bfloat16"}),
        ("model", {"name": "renamed"}),
        ("index", {"window": 50}),
        ("index", {"seed": 1}),
    ],
)
def test_what_changes_the_outcome_changes_the_folder(
    base: Config, group: str, change: dict[str, Any]
) -> None:
    assert changed(base, group, **change).folder != to_spec(base).folder


def test_full_is_one_run_at_every_sparsity_rule_and_window(base: Config) -> None:
    specs = [
        changed(base, "method", name="full", sparsity=0.7),
        changed(base, "method", name="full", sparsity=0.9, rule="topk"),
        changed(dataclasses.replace(base, index=IndexConf(window=50)), "method", name="full"),
    ]
    assert len({spec.folder for spec in specs}) == 1


def test_streaming_has_no_rule_and_squeezed_no_sinks(base: Config) -> None:
    one, other = (
        changed(base, "method", name="streaming", rule=rule) for rule in ("topk", "threshold")
    )
    assert one.folder == other.folder
    assert changed(base, "method", sinks=8).folder == to_spec(base).folder


def test_the_engines_default_is_the_same_as_the_value_given(base: Config) -> None:
    assert changed(base, "method", sparsity=None).folder == to_spec(base).folder


def test_where_results_and_caches_lie_is_no_part_of_the_run(base: Config, tmp_path: Path) -> None:
    moved = to_spec(dataclasses.replace(base, results=str(tmp_path / "b"), cache_dir=None))
    here = to_spec(base)
    assert moved.folder.relative_to(tmp_path / "b") == here.folder.relative_to(tmp_path)


def test_other_weights_in_the_same_folder_are_another_run(base: Config, tmp_path: Path) -> None:
    before = to_spec(base)
    copy = tmp_path / "tiny"  # the same name, so that only the content differs
    copy.mkdir()
    for path in Path(str(base.model.path)).iterdir():
        content = bytearray(path.read_bytes())
        if path.suffix == ".safetensors":
            content[-1] ^= 1
        (copy / path.name).write_bytes(content)
    after = changed(base, "model", path=str(copy))
    assert after.model.label == before.model.label
    assert after.folder != before.folder


def test_foreign_weights_never_pass_for_the_embedded_model(base: Config) -> None:
    assert changed(base, "model", name="mini").model.label == "tiny"
