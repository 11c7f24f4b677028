"""PreFixQA in the bench: rows, one prefill a document, scores, and its tables."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from server import Service

from bench.cli import judge
from bench.config.errors import InputError
from bench.reporting.tables import prefixqa
from bench.tasks import get_task
from bench.tasks.prefixqa import PrefixQAConf
from prefixqa.tokens import TokenCounter
from rows.row import Row, write_jsonl


def test_template_rows_are_made_for_the_models_tokenizer(tokens: TokenCounter) -> None:
    task = get_task("prefixqa")
    spec = task.spec(PrefixQAConf(length=1500, samples=2, questions_per_context=4, seed=3))
    rows = list(task.rows(spec, tokens._tokenizer))
    assert len(rows) == 8
    assert len({row.context for row in rows}) == 2
    scores = [task.score(spec, row, f" {row.answers[0]}. And so on.") for row in rows]
    assert all(each == {"score": 1.0, "f1": 1.0, "exact": 1.0} for each in scores)
    assert task.spec(PrefixQAConf(seed=3)) != task.spec(PrefixQAConf(seed=4))
    with pytest.raises(InputError, match=r"task\.length: length 200 is too short"):
        next(iter(task.rows(task.spec(PrefixQAConf(length=200)), tokens._tokenizer)))
    with pytest.raises(InputError, match=r"task\.samples is 0"):
        task.spec(PrefixQAConf(samples=0))


def row(number: int, **changes: Any) -> Row:
    plain = {
        "id": f"r{number}", "task": "prefixqa", "subtask": "extractive", "context": "c",
        "question": "q", "answer_prefix": "", "answers": ["a"], "max_new_tokens": 8,
        "meta": {"prompts": "suite-1", "type": "factual", "depths": [0.5], "length": 4096},
    }  # fmt: skip
    return Row(**(plain | changes))  # type: ignore[arg-type]


def test_a_set_on_disk_is_its_content_not_its_place(tmp_path: Path) -> None:
    task = get_task("prefixqa")
    specs = []
    for name in ("a", "b"):
        write_jsonl(tmp_path / name / "prefixqa.jsonl", [row(0), row(1)])
        specs.append(task.spec(PrefixQAConf(data=str(tmp_path / name))))
    assert specs[0].identity() == specs[1].identity()
    assert (specs[0].label, specs[0].length, specs[0].samples) == ("extractive", 4096, 2)
    assert [each.id for each in task.rows(specs[0], None)] == ["r0", "r1"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(0), row(1, subtask="openai")], "mixes two"),
        ([row(0, task="ruler")], "no set of python -m prefixqa"),
        ([row(0), row(1, meta={"prompts": "other"})], "two prompt sets"),
    ],
)
def test_other_rows_are_refused(tmp_path: Path, rows: list[Row], message: str) -> None:
    write_jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(InputError, match=message):
        get_task("prefixqa").spec(PrefixQAConf(data=str(tmp_path / "x.jsonl")))
    with pytest.raises(InputError, match="no such file"):
        get_task("prefixqa").spec(PrefixQAConf(data=str(tmp_path / "nothing.jsonl")))


def records(scores: list[float], prefill: float, decode: float) -> pd.DataFrame:
    kinds = ["factual", "method", "factual", "numeric"]
    return pd.DataFrame(
        {
            "id": f"r{place}",
            "context": f"c{place % 2}",
            "score": score,
            "metrics": {"score": score, "f1": score, "exact": float(score == 1)},
            "kv_budget": 0.25,
            "prefill_ms": prefill,
            "decode_ms_per_token": decode,
            "new_tokens": 11,
            "prepare_ms": 1500.0 + 1000 * (place % 2),
            "dense_ms": 1000.0,
            "meta": {"type": kinds[place], "depths": [place / 4]},
        }
        for place, score in enumerate(scores)
    )


def run(name: str, found: pd.DataFrame, levels: tuple[float, ...] = ()) -> Any:
    model = {"name": "mini", "dtype": "float32", "device": "cpu"}
    task = {"name": "prefixqa", "label": "template", "length": 4096, "data": None}
    task |= {"samples": 1, "questions_per_context": 24, "seed": 0}
    identity: dict[str, Any] = {"model": model, "task": task, "method": {"name": name}}
    if levels:
        identity["index"] = {"levels": list(levels)}
        identity["method"] |= {"rule": "topk", "sparsity": 0.9}
    return identity, found, name


def test_tables_by_type_depth_and_amortisation(tmp_path: Path) -> None:
    full = records([1.0, 0.5, 1.0, 0.0], prefill=100.0, decode=30.0)
    runs = [
        run("squeezed", records([1.0, 0.0, 0.5, 0.0], prefill=60.0, decode=14.0), (0.05,)),
        run("full", full),
        run("streaming", records([0.0] * 4, prefill=150.0, decode=30.0)),
    ]
    paths = prefixqa.write(runs, tmp_path)
    assert len(paths) == 4
    types = pd.read_csv(tmp_path / "mini-prefixqa-template-4096-types.csv").set_index("variant")
    assert types.loc["full", ["factual", "method", "numeric", "f1"]].tolist() == [
        1.0,
        0.5,
        0.0,
        0.625,
    ]
    assert types.loc["full", "exact"] == 0.5
    depths = pd.read_csv(tmp_path / "mini-prefixqa-template-4096-evidence-places.csv").set_index(
        "variant"
    )
    assert depths.loc["squeezed topk sparsity 0.9", "50% to 75%"] == 0.5
    table = pd.read_csv(tmp_path / "mini-prefixqa-template-4096-amortisation.csv").set_index(
        "variant"
    )
    squeezed = table.loc["squeezed topk sparsity 0.9"]
    assert (squeezed["once"], squeezed["online"], squeezed["saved"]) == (1000.0, 200.0, 200.0)
    assert squeezed["ahead from"] == 6  # after 5 it is even
    assert squeezed["total of 24"] == 1000 + 1000 + 24 * 200
    # Records from before the method's own time was kept do not tell what it needs.
    assert table.loc["streaming", ["once", "ahead from", "total of 24"]].isna().all()
    assert table.loc["full, no kept prefix", "total of 24"] == 24 * (1000 + 400)
    assert "Amortisation" in paths[-1].read_text()


def test_questions_answered_together_have_each_a_part_of_the_time() -> None:
    full = records([1.0] * 4, prefill=100.0, decode=30.0).assign(batch=4)
    alone = records([1.0] * 4, prefill=60.0, decode=14.0).assign(batch=1)
    (part,) = prefixqa.parts([run("full", full), run("squeezed", alone, (0.05,))])
    table = prefixqa.amortisation_table(part).set_index("variant")
    assert table.loc["full", ["online", "batch"]].tolist() == [100.0, "4"]
    squeezed = table.loc["squeezed topk sparsity 0.9"]
    assert (squeezed["online"], squeezed["batch"], squeezed["ahead from"]) == (200.0, "1", "never")


def test_a_method_that_clusters_for_itself_pays_for_it() -> None:
    """Product quantisation runs K-means on each context, and was ahead from the first question on."""
    full = records([1.0] * 4, prefill=100.0, decode=30.0)
    own = records([1.0] * 4, prefill=60.0, decode=14.0).assign(method_ms=400.0)
    static = records([1.0] * 4, prefill=150.0, decode=30.0).assign(method_ms=2.0)
    (part,) = prefixqa.parts([run("full", full), run("pqcache", own), run("streaming", static)])
    table = prefixqa.amortisation_table(part).set_index("variant")
    assert table.loc["pqcache", ["once", "ahead from"]].tolist() == [400.0, "3"]
    assert table.loc["pqcache", "total of 24"] == 1000 + 400 + 24 * 200
    assert table.loc["streaming", ["once", "ahead from"]].tolist() == [2.0, "never"]
    assert table.loc["full", "once"] == 0


def test_a_judge_gives_its_verdicts_once(
    tmp_path: Path, service: tuple[Service, str], capsys: pytest.CaptureFixture[str]
) -> None:
    state, url = service
    found = [
        {"id": f"r{place}", "score": 0.5, "kv_budget": 1.0, "context": "c", "prediction": " red",
         "prefill_ms": 1.0, "decode_ms_per_token": None, "prepare_ms": 1.0, "index_bytes": 0,
         "commit": "abc", "answers": ["red"], "meta": {"question": f"Which colour has thing {place}?"}}
        for place in range(25)
    ]  # fmt: skip
    state.verdicts = {"Which colour has thing 3?": False}
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text("".join(json.dumps(each) + "\n" for each in found))
    identity, _, _ = run("full", pd.DataFrame())
    (folder / "config.json").write_text(json.dumps({"identity": identity}))
    arguments = [
        f"results={tmp_path}",
        "model=judge",
        f"base_url={url}",
        f"cache={tmp_path / 'cache'}",
    ]
    assert judge.main(arguments) == 0
    assert state.answered.total() == 2
    table = pd.read_csv(tmp_path / "tables" / "prefixqa-judge.csv")
    assert table.loc[0, ["judged right", "judged", "n"]].tolist() == [0.96, 25, 25]
    grades = [json.loads(line) for line in (folder / "judge.jsonl").read_text().splitlines()]
    assert [each["id"] for each in grades if not each["good"]] == ["r3"]
    assert judge.main(arguments) == 0
    assert state.answered.total() == 2
    assert judge.main([f"results={tmp_path / 'none'}", "model=x"]) == 2
    capsys.readouterr()


def test_runs_of_other_tasks_give_no_table(tmp_path: Path) -> None:
    identity = {"task": {"name": "ruler"}}
    assert prefixqa.write([(identity, pd.DataFrame(), "x")], tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_the_whole_way_through_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.cli import report
    from bench.cli import run as bench

    arguments = ["task=prefixqa", "task.length=1500", "task.samples=1", "task.questions_per_context=3",
                 f"results={tmp_path}", "cache_dir=null", "task.max_new_tokens=4"]  # fmt: skip
    for method in ("full", "sq90"):
        assert bench.main([*arguments, f"method={method}"]) == 0
    assert report.main([f"results={tmp_path}"]) == 0
    found = list(tmp_path.rglob("records.jsonl"))
    assert len(found) == 2
    record = json.loads(found[0].read_text().splitlines()[0])
    assert 0 < record["dense_ms"] < record["prepare_ms"]
    assert record["meta"]["type"]
    table = pd.read_csv(tmp_path / "tables" / "mini-prefixqa-template-1500-amortisation.csv")
    assert list(table["variant"]) == [
        "full, no kept prefix",
        "full",
        "squeezed threshold sparsity 0.9",
    ]
    capsys.readouterr()
