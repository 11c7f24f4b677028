"""The model ``squeezed`` inside lm-evaluation-harness; `make test-harness` installs it and runs these."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

lm_eval = pytest.importorskip("lm_eval", reason="make test-harness installs lm-evaluation-harness")

from lm_eval.tasks import TaskManager  # noqa: E402

import squeezed  # noqa: E402
from bench.cli import lm_eval as door  # noqa: E402
from bench.config.errors import InputError  # noqa: E402
from bench.harness import model as harness  # noqa: E402
from bench.harness.cut import NothingFixedError  # noqa: E402
from bench.harness.table import table  # noqa: E402

EXAMPLE = Path(__file__).parents[3] / "examples" / "lm_eval_tasks.py"
TOPICS = ("mill", "ferry")
FIELDS = {"context_field": "passage"}
TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {output}
doc_to_text: "Read this.\\n{{{{passage}}}}\\nQuestion: {{{{question}}}}\\nAnswer:"
doc_to_target: {target}
{more}
"""
GENERATED = (
    "generation_kwargs: {until: ['.'], max_gen_toks: 6, do_sample: false}\n"
    "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]"
)
CHOSEN = (
    "doc_to_choice: ['north', 'south of the river', 'west']\n"
    "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]"
)
WHOLE = "metric_list: [{metric: word_perplexity, aggregation: weighted_perplexity}]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tasks on two documents with three questions each."""
    out = tmp_path_factory.mktemp("tasks")
    rows = [
        {
            "passage": f"The {topic} stood north of the river in the year {year}. " * 12,
            "question": f"Where was the {topic} in {year} {again}?",
            "answer": "north",
            "right": 0,
        }
        for topic in TOPICS
        for year in (1811,)
        for again in ("then", "at that time", "really")
    ]
    data = out / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, output, target, more in (
        ("generated", "generate_until", '"{{answer}}"', GENERATED),
        ("chosen", "multiple_choice", "right", CHOSEN),
        ("whole", "loglikelihood_rolling", '"{{passage}}"', WHOLE),
    ):
        text = TASK.format(name=name, data=data, output=output, target=target, more=more)
        (out / f"{name}.yaml").write_text(text)
    return out


Evaluate = Callable[..., Any]


@pytest.fixture
def evaluate(folder: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Evaluate:
    """Runs tasks with a model of the harness; returns its results."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))

    def run(model: str, *tasks: str, **given: Any) -> Any:
        return lm_eval.simple_evaluate(
            model=model,
            model_args={"pretrained": str(tiny), "dtype": "float32", **given},
            tasks=list(tasks),
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            device="cpu",
            bootstrap_iters=0,
            log_samples=True,
        )

    return run


def answers(results: Any, task: str) -> list[Any]:
    return [each["filtered_resps"] for each in results["samples"][task]]


def test_full_attention_is_the_harnesss_own_model(evaluate: Evaluate) -> None:
    own, full = (
        evaluate(model, "generated", "chosen", **given)
        for model, given in (("hf", {}), ("squeezed", {"method": "full", **FIELDS}))
    )
    assert answers(own, "generated") == answers(full, "generated")
    for ours, theirs in zip(answers(full, "chosen"), answers(own, "chosen"), strict=True):
        assert [each[1] for each in ours] == [each[1] for each in theirs]
        assert [each[0] for each in ours] == pytest.approx([each[0] for each in theirs], abs=1e-3)
    assert own["results"]["chosen"]["acc,none"] == full["results"]["chosen"]["acc,none"]
    assert full["config"]["squeezed"]["tasks"]["chosen"]["kv_budget"] == 1


def test_a_method_that_is_not_quite_the_authors_says_so(
    evaluate: Evaluate, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = {"sparsity": 0.5, "sinks": 4, "local": 60, "window": 40}
    evaluate("squeezed", "generated", method="duo_attention", **sizes, **FIELDS)
    assert "ranked by a stand-in" in caplog.text


@pytest.mark.parametrize(
    "cut", [{"context_field": "passage"}, {"marker": "\nQuestion:"}, {}], ids=str
)
def test_a_context_is_prepared_once_and_the_budget_is_measured(
    evaluate: Evaluate, cut: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = []
    prepare = squeezed.prepare
    monkeypatch.setattr(
        squeezed, "prepare", lambda *given, **more: made.append(1) or prepare(*given, **more)
    )
    file = tmp_path / "records.jsonl"
    asked = {"method": "squeezed_topk", "kv_budget": 0.6, "window": 40, "records": str(file)}
    found = evaluate("squeezed", "generated", "chosen", **asked, **cut)
    measured = found["config"]["squeezed"]["tasks"]
    assert [measured[name]["contexts"] for name in ("generated", "chosen")] == [2, 2]
    assert len(made) == 4  # two documents, for each task
    for each in measured.values():
        assert 0.5 < each["kv_budget"] < 0.65
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(records) == 6 + 6 * 3
    assert {each["task"] for each in records} == {"generated", "chosen"}
    assert len({each["context"] for each in records if each["task"] == "chosen"}) == 2
    assert all(0.4 < each["kv_budget"] < 0.7 for each in records)


def test_indexes_are_kept_for_other_budgets(evaluate: Evaluate, tmp_path: Path) -> None:
    given = {**FIELDS, "window": 40, "cache_dir": str(tmp_path / "kept")}
    first = evaluate("squeezed", "chosen", kv_budget=0.5, **given)
    assert len(list((tmp_path / "kept").glob("*/prepare.json"))) == 2
    again = evaluate("squeezed", "chosen", kv_budget=0.5, **given)
    assert answers(first, "chosen") == answers(again, "chosen")
    assert len(list((tmp_path / "kept").glob("*/prepare.json"))) == 2


@pytest.mark.parametrize(
    ("tasks", "given", "error", "said"),
    [
        (("whole",), FIELDS, NothingFixedError, "task whole scores whole texts: nothing is fixed"),
        (("chosen",), {"context_field": "story"}, NothingFixedError, "no field story"),
        (("chosen",), {**FIELDS, "window": 5000}, NothingFixedError, "observation window"),
        (("chosen",), {**FIELDS, "max_length": 100}, InputError, "has room for 100"),
        (("generated",), {**FIELDS, "max_length": 100}, InputError, "has room for 100"),
        (("chosen",), {**FIELDS, "kv_bugdet": 0.1}, InputError, "did you mean kv_budget"),
    ],
    ids=str,
)
def test_what_has_nothing_fixed_or_does_not_fit_is_refused(
    evaluate: Evaluate, tasks: tuple[str, ...], given: dict[str, Any], error: type, said: str
) -> None:
    with pytest.raises(error, match=said):
        evaluate("squeezed", *tasks, method="full", **given)


def test_answers_of_another_budget_are_never_served(tiny: Path, tmp_path: Path) -> None:
    found = harness.SqueezedLM(str(tiny), device="cpu", method="full")
    with pytest.raises(InputError, match="use_cache keeps answers by their prompt alone"):
        lm_eval.api.model.CachingLM(found, str(tmp_path / "cache.db"))


def test_batches_are_refused(tiny: Path) -> None:
    with pytest.raises(InputError, match="batch_size is 4"):
        harness.SqueezedLM(str(tiny), device="cpu", batch_size=4)


def test_the_examples_tasks_are_the_harnesss_own_on_local_data(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    runpy.run_path(str(EXAMPLE), run_name="example")["main"](
        str(tmp_path), str(tiny), "1024", "1", "4"
    )
    found = lm_eval.simple_evaluate(
        model="squeezed",
        model_args={
            "pretrained": str(tiny),
            "dtype": "float32",
            "context_field": "passage+flores_passage",
            "kv_budget": 0.4,
        },
        tasks=["local_drop", "local_belebele"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        device="cpu",
        bootstrap_iters=0,
        limit=2,
    )
    assert {"em,none", "f1,none"} <= set(found["results"]["local_drop"])
    assert "acc,none" in found["results"]["local_belebele"]
    for each in found["config"]["squeezed"]["tasks"].values():
        assert (each["contexts"], round(each["kv_budget"], 1)) == (1, 0.4)


@pytest.mark.slow  # the harness's command line reads 16,000 task files
def test_the_door_runs_the_harnesss_command_line(
    folder: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = f"pretrained={tiny},dtype=float32,kv_budget=0.6,window=40,context_field=passage"
    out = tmp_path / "out"
    arguments = ["--tasks", "chosen", "--include_path", str(folder), "--model_args", given]
    code = door.main([*arguments, "--device", "cpu", "--output_path", str(out)])
    assert code == 0, capsys.readouterr().err
    (row,) = table(out).to_dict("records")
    assert (row["task"], row["model"], row["n"]) == ("chosen", "squeezed", 6)
    assert 0.5 < row["kv_budget"] < 0.65
    capsys.readouterr()
    assert door.main(["table", str(out)]) == 0
    assert "squeezed-topk-kv_budget0.6" in capsys.readouterr().out
