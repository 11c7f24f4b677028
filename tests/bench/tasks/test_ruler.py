"""RULER through the bench: parameters, data of others, data sets, and templates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.cli.validate import task_spec
from bench.config.schema import TaskConf
from bench.records.files import read_records
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.tasks.ruler import RulerConf, RulerSpec
from tests.ruler.conftest import squad  # noqa: F401 - a fixture

Bench = Callable[..., Any]


def spec(**settings: Any) -> RulerSpec:
    made = task_spec(RulerConf(**settings))
    assert isinstance(made, RulerSpec)
    return made


def records(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob("records.jsonl")
    return read_records(path)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Rows as others publish them: three contexts, two questions about each, 4096 tokens by name."""
    rows = [
        {
            "context": f"Nothing happens here. {number} " + "The road is dry. " * 60,
            "question": f"Question {asked}?",
            "answer_prefix": " It is",
            "answer": ["dry", "road"],
            "task": "niah_multivalue",
            "max_new_tokens": 3,
        }
        for number in range(3)
        for asked in range(2)
    ]
    path = tmp_path / "ruler" / "4096" / "test.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_records_have_both_metrics_and_where_the_answer_stood(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=full", "task.subtask=niah_multiquery", "task.samples=1").code == 0
    (record,) = records(tmp_path)
    assert set(record["metrics"]) == {"score", "strict"}
    assert record["metrics"]["score"] == record["score"]
    assert len(record["meta"]["depths"]) == len(record["answers"]) == 4
    assert len(record["meta"]["positions"]) == 4


def test_other_parameters_are_another_task_in_records(bench: Bench, tmp_path: Path) -> None:
    settings = ["task.keys=3", "task.haystack=needle", "task.samples=1"]
    assert bench("method=full", *settings).code == 0
    (path,) = tmp_path.rglob("records.jsonl")
    assert path.parent.parent.name == "ruler-niah_single_1-needle-keys3-512"
    assert spec(keys=3).label == "niah_single_1-keys3"
    assert spec(keys=1).identity() == spec().identity()  # what it is anyway
    assert spec(keys=3).identity() != spec(keys=4).identity()


def test_what_decides_the_rows_decides_the_run(squad: Path, tmp_path: Path) -> None:  # noqa: F811
    base = spec()
    for change in ({"compat": True}, {"chat": True}, {"seed": 1}, {"length": 600}):
        assert spec(**change).identity() != base.identity()
    copy = tmp_path / "copy.json"
    copy.write_text(squad.read_text())
    one, same = (spec(subtask="qa_1", squad=str(path)) for path in (squad, copy))
    assert one.identity() == same.identity()  # the content counts, not the place
    copy.write_text(squad.read_text() + "\n")
    assert spec(subtask="qa_1", squad=str(copy)).identity() != one.identity()


def test_questions_about_documents_run(
    bench: Bench,
    tmp_path: Path,
    squad: Path,  # noqa: F811
) -> None:
    result = bench("method=full", "task.subtask=qa_1", f"task.squad={squad}", "task.samples=1")
    assert result.code == 0
    (record,) = records(tmp_path)
    assert record["meta"]["documents"]
    assert record["score"] in (0.0, 1.0)


def test_rows_of_others_run_with_their_length(
    bench: Bench, tmp_path: Path, published: Path
) -> None:
    result = bench(
        *("method=full", f"task.data={published.parent.parent}", "task.length=4096"),
        *("task.subtask=niah_multivalue", "task.samples=2", "index.window=50"),
    )
    assert result.code == 0
    made = records(tmp_path / "results")
    assert [record["id"][-1] for record in made] == list("0123")  # both questions of two contexts
    assert len({record["context"] for record in made}) == 2
    assert {record["meta"]["prompts"] for record in made} == {"published"}
    assert all(record["new_tokens"] <= 3 for record in made)


def test_the_spec_of_ready_rows_says_what_they_are(published: Path) -> None:
    settings = {"subtask": "niah_multivalue", "data": str(published)}
    made = spec(**settings, samples=2)
    assert (made.length, made.samples, made.prompts, made.seed) == (4096, 4, "published", None)
    assert made.data
    moved = published.parent.rename(published.parent.parent / "8192")
    assert spec(subtask="niah_multivalue", data=str(moved)).length == 8192


@pytest.mark.usefixtures("no_model")
def test_needs_of_ready_rows_are_of_their_contexts(bench: Bench, published: Path) -> None:
    """Rows counted as contexts, so sweeps that fit were refused; without contexts no index is large."""
    ready = (f"task.data={published}", "task.subtask=niah_multivalue", "task.samples=2")
    for more, contexts in (((), "2 contexts"), (("task.closed_book=true",), "1 context")):
        result = bench("-m", "method=full", *ready, "dry_run=true", *more)
        assert f"indexes of {contexts} about" in result.out
        assert "0 of 4 questions answered" in result.out


def test_ready_rows_are_calibrated_on_and_finished(
    bench: Bench, tmp_path: Path, published: Path
) -> None:
    ready = (f"task.data={published}", "task.subtask=niah_multivalue", "task.samples=2")
    given = ("method=squeezed", "method.sparsity=0.5", "index.window=20", *ready)
    result = bench(*given, "method.calibration_inputs=2", "dry_run=true")
    assert result.code == 2
    assert "there are contexts with 2 questions" in result.err
    result = bench("-m", *given, "method.calibration_inputs=1", "dry_run=true")
    assert "0 of 2 questions answered" in result.out
    assert bench(*given, "method.calibration_inputs=1").code == 0
    assert len(records(tmp_path / "results")) == 2
    (row,) = leaderboard(load_runs(tmp_path / "results" / "runs")).to_dict("records")
    assert row["complete"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"data": "/nowhere"}, "no file or folder /nowhere"),
    ({"keys": 0}, "task.keys is 0"),
    ({"hops": 3}, "task niah_single_1 has no parameter 'hops'"),
    ({"alpha": 2.0}, "has no parameter 'alpha'"),
    ({"subtask": "qa_1", "squad": "/nowhere.json"}, "task.squad: no file /nowhere.json"),
    ({"subtask": "qa_2"}, "hotpotqa=PATH"),
    ({"prompts": "official"}, "prompts=PATH"),
    ({"length": 0}, "task.length is 0"),
]


@pytest.mark.parametrize(("settings", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_settings_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str
) -> None:
    monkeypatch.setenv("SQUEEZED_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        task_spec(RulerConf(**settings))


def test_ready_rows_take_no_parameters(published: Path) -> None:
    with pytest.raises(ValueError, match=r"task\.keys changes nothing"):
        spec(subtask="niah_multivalue", data=str(published), keys=3)
    with pytest.raises(ValueError, match="no row of 'vt'"):
        spec(subtask="vt", data=str(published))


@pytest.mark.usefixtures("no_model")
def test_without_a_template_chat_is_refused_before_the_model(bench: Bench) -> None:
    result = bench("task.chat=true")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "no chat template" in result.err


def test_settings_are_a_schema() -> None:
    assert issubclass(RulerConf, TaskConf)
