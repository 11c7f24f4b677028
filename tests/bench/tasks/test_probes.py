"""The made sets through the bench: subtasks, options, controls, records; and the list of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.cli.validate import task_spec
from bench.config.errors import InputError
from bench.records.files import read_records
from bench.tasks.probes import ProbesConf, ProbesSpec
from probes.find import sets

Bench = Callable[..., Any]


def spec(**settings: Any) -> ProbesSpec:
    made = task_spec(ProbesConf(**settings))
    assert isinstance(made, ProbesSpec)
    return made


def records(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob("records.jsonl")
    return read_records(path)


def test_it_runs_and_records_say_what_is_needed(bench: Bench, tmp_path: Path) -> None:
    settings = ["task.subtask=kv", "task.questions_per_context=3", "method=squeezed_topk"]
    assert bench("task=probes", *settings).code == 0
    made = records(tmp_path)
    assert len(made) == 6
    assert set(made[0]["metrics"]) == {"score", "official", "strict"}
    assert {"density", "floor", "kind", "depth"} <= made[0]["meta"].keys()


def test_an_empty_context_is_a_run_of_its_own(bench: Bench, tmp_path: Path) -> None:
    settings = ["task.samples=1", "task.questions_per_context=2", "task.empty=true", "method=full"]
    assert bench("task=probes", *settings).code == 0
    made = records(tmp_path)
    assert [*tmp_path.rglob("probes-kv-empty-512")]
    assert all(250 < each["context_tokens"] < 400 for each in made)


def test_what_decides_the_rows_decides_the_run() -> None:
    base = spec()
    for change in ({"near": 2}, {"empty": True}, {"seed": 1}, {"questions_per_context": 3}):
        assert spec(**change).identity() != base.identity()
    assert spec(near=0).identity() == base.identity()  # what it is anyway
    assert spec(near=2).label == "kv-near2"
    assert spec(subtask="records_max", questions_per_context=20).questions_per_context == 6
    assert str(spec(subtask="code").data).startswith("cpython-")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subtask": "kvv"}, "task.subtask: unknown subtask 'kvv'"),
        ({"lead": 3}, "task.lead: set kv has no such option"),
        ({"near": -1}, "task.near is -1"),
        ({"length": 0}, "task.length is 0"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        task_spec(ProbesConf(**settings))


@pytest.mark.usefixtures("no_model")
def test_a_length_too_short_is_refused_before_the_model(bench: Bench) -> None:
    result = bench("task=probes", "task.subtask=ladder")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "length 512 is too short for ladder" in result.err


def test_the_list_names_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    said = capsys.readouterr().out
    assert all(f"| {name} " in said for name in sets())
    assert main(["data", "lst"]) == 2
    assert "did you mean list?" in capsys.readouterr().err
    assert main(["data", "--help"]) == 0
