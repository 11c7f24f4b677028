"""LongBench in the bench: settings, rows, cuts, rules, scores, a run on a random model, tables."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bench import models
from bench.cli import report
from bench.cli import run as cli
from bench.config.errors import InputError
from bench.reporting.tables import longbench
from bench.tasks.longbench import LongBench, LongBenchConf
from longbench.sources.source import FIXTURE
from longbench.tasks import EXTENDED_TASKS, PAPER_TASKS, TASKS
from rows.encode import encode

TASK = LongBench()
CHAT = "{% for m in messages %}<u>{{ m['content'] }}</u>{% endfor %}<a>"


def spec(**changes: Any) -> Any:
    return TASK.spec(LongBenchConf(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subtask": "qaspar"}, "unknown LongBench task 'qaspar'"),
        ({"data": "nowhere"}, "there is no nowhere"),
        ({"prompts": "nowhere"}, "neither suite nor official"),
        ({"split": "half"}, "task.split is 'half'; expected paper or prefix"),
        ({"behaviour": "strict"}, "task.behaviour is 'strict'"),
        ({"truncate": "right"}, "task.truncate is 'right'"),
        ({"samples": 0}, "task.samples is 0"),
        ({"max_length": 0}, "task.max_length is 0"),
        ({"chat": "on"}, "task.chat is 'on'"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spec(**changes)


def test_the_identity_is_the_content_not_the_place(tmp_path: Path) -> None:
    shutil.copy(FIXTURE / "qasper.jsonl", tmp_path / "qasper.jsonl")
    here, there = spec(), spec(data=str(tmp_path))
    assert here.identity() == there.identity()
    with (tmp_path / "qasper.jsonl").open("a") as file:
        file.write("\n")
    assert spec(data=str(tmp_path)).identity() != here.identity()
    for change in (
        {"split": "prefix"},
        {"behaviour": "fixed"},
        {"max_length": 900},
        {"samples": 1},
    ):
        assert spec(**change).identity() != here.identity()


def test_the_cut_does_not_depend_on_the_question(tokenizer: Any) -> None:
    wanted = spec(max_length=1200, reserve=700)
    ids = list(range(2000))
    kept = [TASK.cut(wanted, ids, reserved) for reserved in (30, 650)]
    assert kept[0] == kept[1]
    assert (len(kept[0][0]), kept[0][1]) == (500, 1500)
    assert TASK.cut(spec(max_length=None), ids, 30) == (ids, 0)
    with pytest.raises(InputError, match=r"set task\.reserve=701"):
        TASK.cut(wanted, ids, 701)


def test_what_does_not_fit_is_found_before_the_model(tokenizer: Any) -> None:
    TASK.check(spec(), tokenizer)
    with pytest.raises(InputError, match=r"task\.max_length is 300"):
        TASK.check(spec(max_length=300), tokenizer)
    with pytest.raises(InputError, match=r"qasper-0000 of qasper needs \d+ tokens"):
        TASK.check(spec(reserve=100), tokenizer)
    with pytest.raises(InputError, match="half of 20 tokens"):
        TASK.check(spec(max_length=20, truncate="compat"), tokenizer)


def test_compat_cuts_rows(tokenizer: Any) -> None:
    row = next(iter(TASK.rows(spec(max_length=400, truncate="compat"), tokenizer)))
    assert row.meta["prompt_tokens_cut"] > 0
    assert len(encode(tokenizer, row.context + row.question)) <= 404
    ids = encode(tokenizer, row.context)
    assert TASK.cut(spec(max_length=400, truncate="compat"), ids, 10) == (ids, 0)


def test_the_chat_template_by_task(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def chat(**changes: Any) -> bool:
        wanted = spec(**changes)
        return TASK.rules(wanted, next(iter(TASK.rows(wanted, tokenizer))), tokenizer).chat

    assert not chat()  # the embedded model has none
    monkeypatch.setattr(tokenizer, "chat_template", CHAT)
    assert chat()
    assert chat(subtask="v2")
    assert not chat(chat="off")
    for name in ("trec", "triviaqa", "samsum", "lsht", "lcc", "repobench-p"):
        assert not chat(subtask=name)


def test_a_chat_template_of_one_s_own(tokenizer: Any) -> None:
    plain = next(iter(TASK.rows(spec(split="prefix"), tokenizer)))
    row = next(iter(TASK.rows(spec(split="prefix", chat="USER: {prompt} BOT:"), tokenizer)))
    assert row.context == "USER: " + plain.context
    assert row.question == plain.question + " BOT:"
    assert row.answer_prefix == "Answer:"
    few_shot = spec(subtask="trec", chat="USER: {prompt} BOT:")
    assert "USER" not in next(iter(TASK.rows(few_shot, tokenizer))).context


def test_rules_and_scores(tokenizer: Any) -> None:
    samsum = spec(subtask="samsum")
    row = next(iter(TASK.rows(samsum, tokenizer)))
    rules = TASK.rules(samsum, row, tokenizer)
    assert (rules.max_new_tokens, len(rules.stop_ids), rules.min_new_tokens) == (128, 1, 2)
    assert TASK.rules(spec(subtask="samsum", max_new_tokens=3), row, tokenizer).max_new_tokens == 3
    trec = spec(subtask="trec", behaviour="fixed")
    row = next(iter(TASK.rows(trec, tokenizer)))
    answer = " \n" + row.answers[0]
    assert TASK.score(trec, row, answer) == {"score": 1.0, "official": 0.0, "fixed": 1.0}
    v2 = spec(subtask="v2")
    row = next(iter(TASK.rows(v2, tokenizer)))
    answer = f"({row.answers[0]})"
    assert TASK.score(v2, row, answer) == {"score": 0.0, "official": 0.0, "fixed": 1.0}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """Checkpoint folder of a random one-layer Llama with the embedded model's tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    shutil.copytree(models.MINI, folder, dirs_exist_ok=True, ignore=lambda *_: ["config.json"])
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def bench(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs ``python -m bench task=longbench`` here, on the random model; exit code and stderr."""
    fixed = [
        *("task=longbench", "model.name=tiny", f"model.path={tiny}", "model.device=cpu"),
        *(f"results={tmp_path / 'results'}", "cache_dir=null", "task.max_new_tokens=2"),
    ]

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments, *fixed])
        capsys.readouterr()
        code = cli.main()
        return code, capsys.readouterr().err

    return run


def test_runs_leave_records_and_tables(
    bench: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, err = bench(
        "-m", "task.subtask=qasper,qasper_e,v2", "method=full,hsq90", "task.samples=2"
    )
    assert code == 0, err
    runs = tmp_path / "results" / "runs"
    records = [
        json.loads(line)
        for path in runs.rglob("records.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len(records) == 12
    one = next(record for record in records if record["id"] == "qasper-0000")
    assert set(one["metrics"]) == {"score", "official", "fixed"}
    assert (one["meta"]["prompts"], one["meta"]["split"]) == ("suite", "paper")
    assert all(record["meta"]["length"] for record in records)
    assert report.main([f"results={runs.parent}", f"out={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "tables" / "tiny-longbench-suite-paper.csv")
    assert list(table["row"]) == ["All KV", "H-Sq-90%"]
    assert table["kv_budget"][0] == 1
    assert table["kv_budget"][1] < 0.5


def test_a_wrong_setting_is_one_line(bench: Callable[..., tuple[int, str]]) -> None:
    code, err = bench("task.subtask=qaspar")
    assert code == 2
    assert err.count("\n") == 1
    assert "unknown LongBench task 'qaspar'" in err


def test_one_question_a_context_leaves_none_to_calibrate_on(
    bench: Callable[..., tuple[int, str]],
) -> None:
    """There was nothing to score, and a division by zero ended the sweep."""
    code, err = bench("method=squeezed_calibrated")
    assert code == 2
    assert err.count("\n") == 1
    assert "use method.calibration_pieces" in err


def run_of(
    row: dict[str, Any], subtask: str, scores: list[float], budget: float, **task: Any
) -> tuple[dict[str, Any], pd.DataFrame, str]:
    """A run as the report loads it."""
    identity = {
        "model": {"name": "m", "fingerprint": "f", "dtype": "float32", "device": "cpu"},
        "task": {
            **dataclasses.asdict(spec(subtask=subtask)),
            "label": subtask,
            **task,
        },
        "method": row,
    }
    if row["name"] != "full":
        levels = row.pop("levels")
        identity["index"] = {"window": 100, "seed": 0, "levels": levels}
    identity["task"].pop("source")
    identity["task"].pop("wording")
    lengths: list[Any] = [2000, 6000, 12000]
    meta: list[dict[str, Any]] = [{"length": length} for length in lengths[: len(scores)]]
    if subtask == "v2":
        meta = [{"length": "short", "difficulty": "easy"} for _ in scores]
    records = pd.DataFrame({"score": scores, "kv_budget": budget, "meta": meta})
    return identity, records, "folder"


def full() -> dict[str, Any]:
    return {"name": "full"}


def squeezed(sparsity: float, levels: list[float]) -> dict[str, Any]:
    return {"name": "squeezed", "rule": "threshold", "sparsity": sparsity, "levels": levels}


def test_the_paper_s_table(tmp_path: Path) -> None:
    runs = [run_of(full(), task, [0.5, 0.25], 1.0) for task in TASKS]
    runs += [run_of(squeezed(0.9, [0.01, 0.05]), task, [0.5, 0.0], 0.122) for task in TASKS]
    runs += [run_of(squeezed(0.7, [0.05]), "lcc", [1.0, 1.0], 0.325)]
    longbench.write(runs, tmp_path)
    table = pd.read_csv(tmp_path / "m-longbench-suite-paper.csv").set_index("row")
    assert list(table.index) == ["All KV", "Sq-70%", "H-Sq-90%"]
    assert table.loc["All KV", "mean of 14"] == 37.5
    assert table.loc["All KV", "n"] == 2 * len(PAPER_TASKS)
    assert table.loc["H-Sq-90%", "kv_budget"] == pytest.approx(0.122)
    assert table.loc["Sq-70%", "lcc"] == 100
    assert pd.isna(table.loc["Sq-70%", "mean of 14"])  # 13 tasks are missing
    groups = pd.read_csv(tmp_path / "m-longbench-suite-groups.csv").set_index("row")
    assert groups.loc["All KV", "macro (6 groups, en)"] == 37.5
    assert groups.loc["All KV", "flat (21 tasks)"] == 37.5
    assert pd.isna(groups.loc["Sq-70%", "macro (6 groups, en)"])
    text = (tmp_path / "m-longbench-suite-summary.md").read_text()
    measured, published = text.split("### Published, not measured here", 1)
    assert "56.64" not in measured
    assert "56.64" in published.split("## ", 1)[0]


def test_buckets_and_v2(tmp_path: Path) -> None:
    runs = [run_of(full(), f"{name}_e", [1.0, 0.5, 0.0], 1.0) for name in EXTENDED_TASKS]
    runs += [run_of(full(), "v2", [1.0, 0.0], 1.0)]
    longbench.write(runs, tmp_path)
    table = pd.read_csv(tmp_path / "m-longbench-suite-e.csv")
    assert len(table) == 14
    assert list(table[["0-4k", "4-8k", "8k+"]].iloc[-1]) == [100, 50, 0]
    assert list(table[["n 0-4k", "n 4-8k", "n 8k+"]].iloc[0]) == [1, 1, 1]
    v2 = pd.read_csv(tmp_path / "m-longbench-suite-v2.csv")
    assert (v2["overall"][0], v2["n"][0]) == (50, 2)


def test_settings_never_share_a_table(tmp_path: Path) -> None:
    runs = [
        run_of(full(), "lcc", [0.5], 1.0),
        run_of(full(), "lcc", [0.5], 1.0, split="prefix"),
        run_of(full(), "lcc", [0.5], 1.0, prompts="official-2e00731f"),
    ]
    paths = longbench.write(runs, tmp_path)
    papers = [path.name for path in paths if path.name.endswith("-paper.csv")]
    assert len(set(papers)) == 3
    assert "m-longbench-official-2e00731f-paper.csv" in papers


def test_the_control_and_other_data_replace_no_score(tmp_path: Path) -> None:
    """Both have the same subtask; the run whose folder came last stood for all of them."""
    runs = [
        run_of(full(), "lcc", [0.5], 1.0, data="a" * 16),
        run_of(full(), "qasper", [1.0], 1.0, data="c" * 16),
        run_of(full(), "lcc", [0.25], 1.0, data="a" * 16, label="lcc-closed_book"),
    ]
    longbench.write(runs, tmp_path)
    table = pd.read_csv(tmp_path / "m-longbench-suite-paper.csv").iloc[0]
    assert (table["lcc"], table["qasper"], table["n"]) == (50, 100, 2)
    control = pd.read_csv(tmp_path / "m-longbench-suite-closed_book-paper.csv").iloc[0]
    assert (control["lcc"], control["n"]) == (25, 1)
    text = (tmp_path / "m-longbench-suite-closed_book-summary.md").read_text()
    assert "asked without the documents" in text
    again = tmp_path / "again"
    longbench.write([*runs[:2], run_of(full(), "lcc", [0.75], 1.0, data="b" * 16)], again)
    found = [pd.read_csv(path).iloc[0] for path in again.glob("*-paper.csv")]
    assert sorted(row["lcc"] for row in found if "lcc" in row and row["lcc"] > 0) == [50, 75]
