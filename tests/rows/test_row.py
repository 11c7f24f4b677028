"""The row contract and its files."""

import codecs
import dataclasses
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rows.row import Row, RowError, read_jsonl, write_jsonl

ROW = Row("a-0", "ruler", "niah_single_1", "text", "where?", " It is", ["here"], 8, {"seed": 1})


def with_id(name: str) -> Row:
    return dataclasses.replace(ROW, id=name)


def no_space(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


texts = st.text(st.characters(exclude_categories=["Cs"]))
filled = texts.filter(lambda text: bool(text.strip()))


@given(context=filled, question=texts, answers=st.lists(texts, min_size=1), meta=texts)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    context: str,
    question: str,
    answers: list[str],
    meta: str,
) -> None:
    path = tmp_path_factory.mktemp("rows") / "new" / "rows.jsonl"
    row = dataclasses.replace(
        ROW, context=context, question=question, answers=answers, meta={"note": [meta, 1.5, None]}
    )
    assert write_jsonl(path, [row, with_id("b")]) == 2
    assert read_jsonl(path) == [row, with_id("b")]


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    """As editors of Windows and Excel write it."""
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [ROW, with_id("b")])
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert read_jsonl(path) == [ROW, with_id("b")]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [ROW])
    monkeypatch.setattr(os, call, no_space)
    with pytest.raises(OSError, match="No space left"):
        write_jsonl(path, [with_id("new")])
    assert read_jsonl(path) == [ROW]
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_while_writing_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [ROW])
    real_open = Path.open

    def small_disk(self: Path, *args: Any, **kwargs: Any) -> Any:
        file = real_open(self, *args, **kwargs)
        file.raw.close()  # a buffered write that cannot reach the disk
        return real_open(Path("/dev/full"), "wb", buffering=0)

    monkeypatch.setattr(Path, "open", small_disk)
    with pytest.raises(OSError, match="No space left"):
        write_jsonl(path, [with_id("new")])
    monkeypatch.undo()
    assert read_jsonl(path) == [ROW]
    assert list(tmp_path.iterdir()) == [path]


def test_a_crash_between_two_rows_leaves_the_old_file_alone(tmp_path: Path) -> None:
    def crashing() -> Iterator[Row]:
        yield with_id("new")
        raise KeyboardInterrupt

    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [ROW])
    with pytest.raises(KeyboardInterrupt):
        write_jsonl(path, crashing())
    assert read_jsonl(path) == [ROW]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_not_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [ROW, with_id("b")])
    write_jsonl(path, [with_id("c")])
    assert [row.id for row in read_jsonl(path)] == ["c"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW, ROW], "'a-0' appears twice"),
        ([], "no row to write"),
        ([dataclasses.replace(ROW, meta={"x": float("nan")})], "cannot be written as JSON"),
        ([dataclasses.replace(ROW, meta={"x": object()})], "cannot be written as JSON"),
        ([dataclasses.replace(ROW, context="\ud800")], "cannot be written as JSON"),
    ],
)
def test_rows_that_break_the_contract_are_not_written(
    tmp_path: Path, rows: list[Row], message: str
) -> None:
    with pytest.raises(RowError, match=message):
        write_jsonl(tmp_path / "rows.jsonl", rows)
    assert list(tmp_path.iterdir()) == []


def line(**changes: Any) -> str:
    return json.dumps(dataclasses.asdict(with_id("b")) | changes)


def without(name: str) -> str:
    content = dataclasses.asdict(with_id("b"))
    del content[name]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line()[:-5], "not a line of JSON"),
        ("[1]", "is a JSON list; expected an object"),
        (without("answers"), "missing field 'answers'"),
        (line(extra=1), "unknown field 'extra'"),
        (line(id=7), "'id' of row 7 is 7; expected a string"),
        (line(question=None), "'question' of row 'b' is None; expected a string"),
        (line(context="  "), "'context' of row 'b' is '  '; expected text"),
        (line(answers="here"), "'answers' .* expected a list of strings"),
        (line(answers=["x", 1]), "expected a list of strings"),
        (line(answers=[]), "at least one answer"),
        (line(max_new_tokens=0), "'max_new_tokens' .* whole number of at least 1"),
        (line(max_new_tokens=True), "whole number"),
        (line(max_new_tokens="8"), "whole number"),
        (line(meta=[]), "'meta' .* expected an object"),
        (line(id="a-0"), "'a-0' is already used in line 1"),
        ("\udcff", "not a line of JSON"),
    ],
)
def test_a_bad_line_is_reported_with_file_and_line(tmp_path: Path, bad: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    good = json.dumps(dataclasses.asdict(ROW))
    path.write_bytes(f"{good}\n\n{bad}\n".encode(errors="surrogateescape"))
    with pytest.raises(RowError, match=message) as caught:
        read_jsonl(path)
    assert str(caught.value).startswith(f"{path}:3: ")


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_missing_or_empty_file_is_reported(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RowError, match="no such file" if content is None else "holds no row"):
        read_jsonl(path)
