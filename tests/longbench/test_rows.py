"""Rows of the fixture: every task, both splits, with what scoring needs and where all came from."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from longbench.errors import LongBenchError
from longbench.fixture import make
from longbench.prompting.prompts import load_prompts
from longbench.rows import rows
from longbench.scoring.score import score
from longbench.sources.source import FIXTURE, find
from longbench.tasks import EXTENDED_TASKS, PAPER_TASKS, TASKS, get_task
from rows.row import Row, read_jsonl, write_jsonl

NAMES = [*TASKS, *(f"{name}_e" for name in EXTENDED_TASKS), "v2"]
SUITE = load_prompts("suite")


def of(name: str, split: str = "paper", samples: int | None = None) -> list[Row]:
    return rows(name, find("fixture", name), SUITE, split, samples)


def test_the_tasks_are_the_benchmark_s() -> None:
    assert (len(TASKS), len(EXTENDED_TASKS), len(PAPER_TASKS)) == (21, 13, 14)
    assert [name for name, task in TASKS.items() if not task.chat] == [
        *("trec", "triviaqa", "samsum", "lsht", "lcc", "repobench-p")
    ]
    assert [name for name, task in TASKS.items() if task.first_line] == [
        *("trec", "triviaqa", "samsum", "lsht")
    ]
    counted = Counter(task.max_new_tokens for task in TASKS.values())
    assert counted == {32: 7, 64: 6, 128: 4, 512: 4}
    assert get_task("qasper_e") is TASKS["qasper"]


def test_the_committed_fixture_is_what_its_maker_makes() -> None:
    made = make.files()
    assert {path.name for path in FIXTURE.iterdir()} == set(made)
    for name, content in made.items():
        assert (FIXTURE / name).read_bytes() == content, name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", ["paper", "prefix"])
def test_every_task_gives_rows(name: str, split: str, tmp_path: Path, tokenizer: Any) -> None:
    found = of(name, split)
    assert [row.id for row in found] == [f"{name}-{i:04d}" for i in range(len(found))]
    for row in found:
        assert (row.task, row.subtask) == ("longbench", name)
        assert row.question + row.answer_prefix
        assert len(tokenizer(row.context)["input_ids"]) > 600  # an observation window is 100
        meta = row.meta
        assert (meta["prompts"], meta["split"], meta["data"]) == ("suite", split, "fixture")
        assert len(meta["data_sha256"]) == len(meta["prompts_sha256"]) == 64
        if name != "v2":
            assert row.max_new_tokens == get_task(name).max_new_tokens
            best = score(name, row.answers[0], row.answers, meta["all_classes"])
            assert best == pytest.approx(1, abs=1e-7)
    write_jsonl(tmp_path / "rows.jsonl", found)
    assert read_jsonl(tmp_path / "rows.jsonl") == found


def test_both_splits_say_the_same() -> None:
    for name in NAMES:
        whole = [
            [row.context + row.question + row.answer_prefix for row in of(name, split)]
            for split in ("paper", "prefix")
        ]
        assert whole[0] == whole[1]


def test_braces_of_code_survive() -> None:
    row = of("lcc")[0]
    record = json.loads((FIXTURE / "lcc.jsonl").read_text().splitlines()[0])
    assert "{" in record["context"]
    assert record["context"] in row.context


def test_every_bucket_has_a_record() -> None:
    for name in EXTENDED_TASKS:
        assert [row.meta["length"] for row in of(f"{name}_e")] == [2000, 6000, 12000]


def test_the_first_so_many_records() -> None:
    assert of("qasper", samples=1) == of("qasper")[:1]
    assert of("qasper", samples=99) == of("qasper")


def test_limits_come_from_the_prompt_set(foreign: Path) -> None:
    prompts = load_prompts(str(foreign))
    assert rows("qasper", find("fixture", "qasper"), prompts)[0].max_new_tokens == 17
    assert rows("trec", find("fixture", "trec"), prompts)[0].max_new_tokens == 64


def test_a_record_that_asks_nothing_is_refused(tmp_path: Path) -> None:
    record = make.records("trec")[0] | {"input": ""}
    (tmp_path / "trec.jsonl").write_text(json.dumps(record))
    with pytest.raises(LongBenchError, match="'input' is empty; this task's prompt asks what"):
        rows("trec", find(str(tmp_path), "trec"), SUITE)


def test_a_prompt_set_without_v2_is_named(foreign: Path) -> None:
    with pytest.raises(LongBenchError, match="no template for v2"):
        rows("v2", find("fixture", "v2"), load_prompts(str(foreign)))
