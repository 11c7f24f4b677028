"""Records: the official fields, and messages that name file, line and field."""

import codecs
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from longbench import v2
from longbench.errors import LongBenchError
from longbench.sources.records import Record, parse, read
from longbench.tasks import TASKS

GOOD: dict[str, Any] = {
    "input": "Who?",
    "context": "Ann did.",
    "answers": ["Ann", "Ann did"],
    "length": 2,
    "dataset": "qasper",
    "language": "en",
    "all_classes": None,
    "_id": "abc",
}
RECORD = Record("Who?", "Ann did.", ("Ann", "Ann did"), (), 2, "en", "abc")


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def read_qasper(content: bytes) -> list[Record]:
    return read(content, "qasper.jsonl", lambda fields: parse(fields, TASKS["qasper"]), "qasper")


@pytest.mark.parametrize(
    "content",
    [
        lines(GOOD, GOOD),
        lines(GOOD) + b"\n  \n" + lines(GOOD),
        json.dumps([GOOD, GOOD]).encode(),
        table([GOOD, GOOD]),
        codecs.BOM_UTF8 + lines(GOOD, GOOD),
        codecs.BOM_UTF8 + json.dumps([GOOD, GOOD], indent=1).encode(),
    ],
    ids=["lines", "blank lines", "list", "parquet", "lines behind a mark", "list behind a mark"],
)
def test_every_form_gives_the_same_records(content: bytes) -> None:
    assert read_qasper(content) == [RECORD, RECORD]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": "  "}, "'context' is '  '; expected a string that is not empty"),
        ({"context": 7}, "'context' is 7"),
        ({"input": None}, "'input' is None; expected a string"),
        ({"answers": []}, r"'answers' is \[\]; expected a list of at least one string"),
        ({"answers": "Ann"}, "'answers' is 'Ann'"),
        ({"answers": ["Ann", 3]}, "'answers'"),
        ({"length": "long"}, "'length' is 'long'; expected a whole number"),
        ({"length": 1.5}, "'length' is 1.5"),
        ({"length": -1}, "'length' is -1"),
        ({"length": True}, "'length' is True"),
        ({"all_classes": ["a", None]}, "'all_classes'"),
        ({"input": " "}, "'input' is empty"),
        ({"dataset": "trec"}, "'dataset' is 'trec'; expected 'qasper'"),
    ],
)
def test_a_bad_value_is_named_with_its_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(LongBenchError, match=message) as refused:
        read_qasper(lines(GOOD, GOOD | change))
    assert str(refused.value).startswith("qasper.jsonl:2: field ")


def test_the_name_of_the_longer_set_and_no_name_are_the_task() -> None:
    unnamed = {name: value for name, value in GOOD.items() if name != "dataset"}
    assert read_qasper(lines(GOOD | {"dataset": "qasper_e"}, unnamed)) == [RECORD, RECORD]


def test_a_task_that_asks_for_what_comes_next_needs_no_input() -> None:
    row = GOOD | {"input": "", "dataset": "lcc"}
    assert parse(row, TASKS["lcc"]).input == ""
    assert parse(row | {"dataset": "repobench-p"}, TASKS["repobench-p"]).input == ""


def test_a_mirror_with_other_fields_is_refused() -> None:
    mirror = {"context": "Read this: ...", "question": "Who?", "answer_prefix": "A:", "answers": []}
    with pytest.raises(LongBenchError, match="'input' is missing") as refused:
        read_qasper(lines(mirror))
    assert "prompts into its contexts" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no record"),
        (b"\n\n", "holds no record"),
        (lines(GOOD) + b'{"input": "cut o', "qasper.jsonl:2: not JSON"),
        (b"\xff\xfe", "qasper.jsonl:1: not JSON"),
        (lines(GOOD, GOOD | {"input": "\ud800"}), "qasper.jsonl:2: not JSON .*UTF-8"),
        (lines(GOOD, GOOD | {"length": float("inf")}), "qasper.jsonl:2: not JSON .*Infinity"),
        (b"7\n", "qasper.jsonl:1: a JSON int; expected an object"),
        (b"[7]", "qasper.jsonl:1: a JSON int"),
        (b"[{", "not JSON"),
        (b"PAR1 no table", "not a Parquet file"),
    ],
)
def test_a_bad_file_is_named(content: bytes, message: str) -> None:
    with pytest.raises(LongBenchError, match=message):
        read_qasper(content)


def test_what_a_metric_needs_is_checked() -> None:
    with pytest.raises(LongBenchError, match="scored by its classes"):
        parse(GOOD | {"dataset": "trec"}, TASKS["trec"])
    name = "passage_retrieval_en"
    with pytest.raises(LongBenchError, match="'Ann' names no paragraph"):
        parse(GOOD | {"dataset": name}, TASKS[name])


QUESTION = {
    "_id": "q1",
    "domain": "Books",
    "difficulty": "easy",
    "length": "short",
    "question": "Which?",
    **{f"choice_{letter}": f"the {letter}" for letter in "ABCD"},
    "answer": "C",
    "context": " long text ",
}


def test_questions_of_v2(tmp_path: Path) -> None:
    question = v2.parse(QUESTION)
    assert question.choices == ("the A", "the B", "the C", "the D")
    with pytest.raises(LongBenchError, match="'answer' is 'E'; expected one of A, B, C, D"):
        v2.parse(QUESTION | {"answer": "E"})
    with pytest.raises(LongBenchError, match="'length' is 'huge'"):
        v2.parse(QUESTION | {"length": "huge"})
    found = read(json.dumps([QUESTION] * 2).encode(), "data.json", v2.parse, "v2")
    assert found == [question, question]
