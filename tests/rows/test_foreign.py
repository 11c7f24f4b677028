"""Rows of others become rows of the contract: RULER as published, SCBench, the contract itself."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rows.foreign import read_foreign
from rows.parquet import write_parquet
from rows.row import Row, RowError, write_jsonl

RULER = {
    "context": "Long ago.",
    "question": "When?",
    "answer_prefix": " It was",
    "answer": ["long ago"],
    "task": "niah_single_1",
    "max_new_tokens": 8,
}
SCBENCH = {
    "id": 7,
    "context": "The mill was sold.",
    "multi_turns": [
        {"input": "What was sold?", "answer": "the mill", "options": ["the mill", "a boat"]},
        {"input": "How many?", "answer": 1},
        {"input": "Names?", "answer": ["mill", "the mill"]},
    ],
}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_ruler_as_it_is_published(tmp_path: Path, ending: str) -> None:
    first, second = read_foreign(write(tmp_path / f"ruler.{ending}", RULER, RULER))
    assert (first.id, second.id) == ("niah_single_1-00000", "niah_single_1-00001")
    assert (first.task, first.subtask, first.answers) == ("ruler", "niah_single_1", ["long ago"])


def test_turns_of_scbench_share_their_context(tmp_path: Path) -> None:
    rows = read_foreign(write(tmp_path / "scbench_kv.jsonl", SCBENCH), max_new_tokens=9)
    assert [row.id for row in rows] == [f"scbench_kv-7-t{turn}" for turn in range(3)]
    assert {row.context for row in rows} == {"The mill was sold."}
    assert [row.answers for row in rows] == [["the mill"], ["1"], ["mill", "the mill"]]
    assert {row.max_new_tokens for row in rows} == {9}
    assert rows[0].meta["options"] == ["the mill", "a boat"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_of_the_contract_come_back_as_they_were(tmp_path: Path, ending: str) -> None:
    row = Row("a-0", "ruler", "vt", "Once.", "When?", "", ["once"], 4, {"length": 16, "at": [1]})
    path = tmp_path / f"rows.{ending}"
    {"jsonl": write_jsonl, "parquet": write_parquet}[ending](path, [row])
    assert read_foreign(path) == [row]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "x", "expected a file that ends in one of"),
        ("a.jsonl", "", "holds no row"),
        ("a.jsonl", "{", "a.jsonl:1: not a line of JSON"),
        ("a.jsonl", "[1]", "row 0: it is a JSON list"),
        (
            "a.jsonl",
            '{"input": "x", "outputs": []}',
            "has the fields input, outputs; expected one of",
        ),
        ("a.jsonl", json.dumps({**SCBENCH, "multi_turns": [{"input": "x"}]}), "row 0: 'answer'"),
        ("a.jsonl", json.dumps({**RULER, "context": " "}), "field 'context'"),
        ("a.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_what_is_no_set_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RowError, match=said):
        read_foreign(tmp_path / name)


@pytest.mark.parametrize("name", ["nope", "nope.parquet"])
def test_a_path_that_leads_nowhere_is_named_as_such(tmp_path: Path, name: str) -> None:
    """Without an ending it was told to have one."""
    with pytest.raises(RowError, match="no such file"):
        read_foreign(tmp_path / name)
