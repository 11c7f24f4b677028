"""Rows that were made before, in the suite's form and in the published one."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rows.parquet import write_parquet
from rows.row import RowError, write_jsonl
from ruler import ready
from ruler.generate import generate


def published(path: Path, **changes: Any) -> Path:
    """A file in the published form: two rows of one task and one of another."""
    rows = [
        {
            "context": f"Text {number}. Code 1234{number}.",
            "question": "Which code?",
            "answer_prefix": " It is",
            "answer": [f"1234{number}"],
            "task": task,
            "max_new_tokens": 128,
            **changes,
        }
        for number, task in enumerate(["niah_single_1", "niah_single_1", "vt"])
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_published_rows_load_by_task(tmp_path: Path) -> None:
    source = ready.find(published(tmp_path / "4096" / "test-00000.parquet").parent)
    rows = ready.load(source, "niah_single_1")
    assert [row.id for row in rows] == ["niah_single_1-00000", "niah_single_1-00001"]
    assert [row.answers for row in rows] == [["12340"], ["12341"]]
    assert rows[0].meta == {"prompts": "published"}
    assert rows[0].max_new_tokens == 128
    with pytest.raises(RowError, match=r"no row of 'fwe'; there are rows of niah_single_1, vt"):
        ready.load(source, "fwe")


def test_an_answer_may_be_one_text(tmp_path: Path) -> None:
    source = ready.find(published(tmp_path / "a.parquet", answer="1"))
    assert ready.load(source, "vt")[0].answers == ["1"]
    assert source.length is None


def test_of_several_lengths_one_is_taken(tmp_path: Path) -> None:
    for length in ("4096", "8192"):
        published(tmp_path / length / "test.parquet")
    assert ready.find(tmp_path / "8192").files[0].parent.name == "8192"
    assert ready.find(tmp_path, 4096).length == 4096
    with pytest.raises(RowError, match="rows of 4096, 8192 tokens, not of 2048"):
        ready.find(tmp_path, 2048)


def test_what_the_suite_writes_it_reads_in_either_format_once(
    tokenizer: Any, tmp_path: Path
) -> None:
    rows = list(generate("vt", tokenizer, 900, 2))
    write_jsonl(tmp_path / "vt" / "900.jsonl", rows)
    write_parquet(tmp_path / "vt" / "900.parquet", rows)
    source = ready.find(tmp_path, 900)
    assert source.length == 900
    assert ready.load(source, "vt") == rows


def test_the_checksum_covers_all_files(tmp_path: Path) -> None:
    published(tmp_path / "a.parquet")
    before = ready.find(tmp_path).sha256
    published(tmp_path / "b.parquet", max_new_tokens=1)
    assert ready.find(tmp_path).sha256 != before
    with pytest.raises(RowError, match="is in another file too"):
        ready.load(ready.find(tmp_path), "vt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": ""}, "row 0: field 'context'"),
        ({"max_new_tokens": 0}, "row 0: field 'max_new_tokens'"),
        ({"answer": []}, "row 0: field 'answers'"),
    ],
)
def test_rows_that_break_the_contract_are_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    source = ready.find(published(tmp_path / "a.parquet", **change))
    with pytest.raises(RowError, match=message):
        ready.load(source, "vt")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="no file or folder"):
        ready.find(tmp_path / "nothing")
    with pytest.raises(RowError, match=r"no file that ends with \.parquet or \.jsonl"):
        ready.find(tmp_path)
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(RowError, match="has the columns text; expected context, question"):
        ready.load(ready.find(tmp_path), "vt")
