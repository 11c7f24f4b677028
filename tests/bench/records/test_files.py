"""The record file: what a kill, a full disk or an editor can do to it."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.config.errors import RunError
from bench.records import files
from bench.records.files import count_records, open_records, read_records


def record(identifier: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "score": 1.0, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with records a and b."""
    with open_records(tmp_path, {"x": 1}) as records:
        records.append(record("a"))
        records.append(record("b"))
    return tmp_path


def test_records_are_there_when_opened_again(folder: Path) -> None:
    with open_records(folder, {"x": 1}) as records:
        assert records.ids == {"a", "b"}
        assert not records.torn
        records.append(record("c"))
    assert [each["id"] for each in read_records(folder / "records.jsonl")] == ["a", "b", "c"]
    assert json.loads((folder / "config.json").read_text()) == {"x": 1}


def test_an_id_is_never_written_twice(folder: Path) -> None:
    with open_records(folder, {}) as records, pytest.raises(ValueError, match="'b' is there"):
        records.append(record("b"))
    assert len(read_records(folder / "records.jsonl")) == 2


def test_a_torn_last_line_is_cut_off(folder: Path) -> None:
    path = folder / "records.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "c", "sco')
    assert len(read_records(path)) == 2  # a reader of a live run leaves it alone
    with open_records(folder, {}) as records:
        assert records.torn
        assert records.ids == {"a", "b"}
    assert path.read_bytes() == whole


def test_what_a_killed_process_was_writing_is_removed(folder: Path) -> None:
    half = folder / ".attempt.json.9cf23f25.tmp"
    half.write_text('{"ho')
    with open_records(folder, {}) as records:
        assert records.ids == {"a", "b"}
    assert not half.exists()


@pytest.mark.parametrize(
    "line", [b"{not json}", b'{"id": "c"}', b"[1]", b'{"id": "a", "score": 1}']
)
def test_a_bad_line_is_named_and_then_moved_away(folder: Path, line: bytes) -> None:
    path = folder / "records.jsonl"
    first, second = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, line, second]) + b"\n")
    with pytest.raises(RunError, match=r"records\.jsonl, line 2"):
        read_records(path)
    with open_records(folder, {}) as records:
        assert records.damaged == 1
        assert records.ids == {"a", "b"}
    assert path.read_bytes() == first + b"\n" + second + b"\n"
    assert (folder / "records.damaged.jsonl").read_bytes() == line + b"\n"


def test_records_are_counted_as_they_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "records.jsonl"
    with open_records(folder, {}) as records:
        records.append(record('c " \\ \u00e9', text='", "check": "00000000"}'))
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(files, "read_records", lambda _: pytest.fail("read"))
        assert count_records(path) == 3
        path.write_bytes(whole + b'{"id": "d", "sco')  # a live run
        assert count_records(path) == 3
    path.write_bytes(whole + b'{"id": "old", "score": 1}\n')  # from before the checksum
    assert count_records(path) == 4
    path.write_bytes(b"")
    assert count_records(path) == 0
    for damaged in (
        whole.replace(b'"score": 1.0', b'"score": 0.0', 1),
        whole + whole.splitlines(keepends=True)[0],
        whole + b"nothing\n",
    ):
        path.write_bytes(damaged)
        with pytest.raises(RunError):
            count_records(path)


def test_a_changed_score_is_noticed(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace('"score": 1.0', '"score": 0.0', 1))
    with pytest.raises(RunError, match="line 1: its checksum differs"):
        read_records(path)
    with open_records(folder, {}) as records:
        assert records.ids == {"b"}
        records.append(record("a"))
    assert {each["id"]: each["score"] for each in read_records(path)} == {"a": 1.0, "b": 1.0}


def test_records_from_before_the_checksum_are_records(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_text('{"id": "old", "score": 0.5}\n')
    with open_records(folder, {}) as records:
        assert records.ids == {"old"}
        assert not records.damaged


def test_a_number_that_json_lacks_is_refused(folder: Path) -> None:
    with open_records(folder, {}) as records, pytest.raises(ValueError, match="JSON"):
        records.append(record("c", prefill_ms=float("nan")))
    assert len(read_records(folder / "records.jsonl")) == 2


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Inside, the system refuses to let any file grow beyond this many bytes. Not a fixture: pytest's own
    output may be such a file, and it is written before fixtures end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_earlier_records_intact(folder: Path) -> None:
    path = folder / "records.jsonl"
    whole = path.read_bytes()
    with full_disk(4096), open_records(folder, {}) as records:
        with pytest.raises(RunError, match="its 2 records are intact"):
            records.append(record("c", prediction="x" * 4096))
        assert path.read_bytes() == whole
        records.append(record("d"))  # there is room for a small one
    assert [each["id"] for each in read_records(path)] == ["a", "b", "d"]


def test_two_processes_cannot_have_one_run(folder: Path) -> None:
    with (
        open_records(folder, {}),
        pytest.raises(RunError, match="another process"),
        open_records(folder, {}),
    ):
        pass


def test_a_record_that_cannot_be_used_is_moved_away(folder: Path) -> None:
    """Valid JSON with a right checksum, but without a field that every table needs."""

    def flaw(found: dict[str, Any]) -> str | None:
        return "it is b" if found["id"] == "b" else None

    with open_records(folder, {}, flaw) as records:
        assert (records.ids, records.damaged) == ({"a"}, 1)
        records.append(record("b", more=1))
    assert "b" in (folder / "records.damaged.jsonl").read_text()
    assert [each["id"] for each in read_records(folder / "records.jsonl")] == ["a", "b"]
