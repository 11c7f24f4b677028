"""``squeezed-bench data``: the made sets listed, rows published for a hub, rows of others brought in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from bench.cli.main import main
from probes.find import sets


def test_it_lists_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    output = capsys.readouterr().out
    for name in sets():
        assert f" {name} " in output


def test_another_word_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "lsit"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unknown word 'lsit'; did you mean list?" in error


def test_rows_of_others_are_brought_in_and_run(
    bench: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"input": f"Where was mill {n}?", "answer": "north"} for n in range(2)]
    given = tmp_path / "scbench_mills.jsonl"
    context = "The mill stood north of the river. " * 30
    given.write_text(json.dumps({"context": context, "multi_turns": turns}) + "\n")
    out = tmp_path / "rows" / "mills.jsonl"
    assert main(["data", "import", f"rows={given}", f"out={out}", "max_new_tokens=3"]) == 0
    assert f"task=prefixqa task.data={out}" in capsys.readouterr().out
    assert bench("task=prefixqa", f"task.data={out}", "method=full").code == 0
    (records,) = tmp_path.rglob("records.jsonl")
    assert len(records.read_text().splitlines()) == 2


def test_a_folder_is_not_published_onto_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "hub"
    given = tmp_path / "rows.jsonl"
    given.write_text(
        json.dumps({"context": "The mill.", "multi_turns": [{"input": "?", "answer": "x"}]})
    )
    assert main(["data", "publish", f"rows={given}", f"out={out}", "licence=mit"]) == 0
    before = (out / "SHA256SUMS").read_text()
    (file,) = out.rglob("test.parquet")
    for inside in (out, out / "data", file):
        assert main(["data", "publish", f"rows={inside}", f"out={out}", "licence=mit"]) == 2
        assert "holds the rows themselves" in capsys.readouterr().err
    assert (out / "SHA256SUMS").read_text() == before


def test_a_generated_folder_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = tmp_path / "made", tmp_path / "hub"
    settings = ["set=kv", "length=2048", "samples=1", "questions_per_context=2", "format=both"]
    assert main(["probes", *settings, f"out={made}"]) == 0
    assert main(["data", "publish", f"rows={made}", f"out={out}", "licence=cc0-1.0"]) == 0
    assert (out / "data" / "kv_2048" / "test.parquet").exists()
    capsys.readouterr()
    assert main(["data", "publish", f"rows={made}", f"out={out}", "licence=CC 0"]) == 2
    assert main(["data", "publish", f"rows={out / 'data'}", f"out={made}", "licence=cc0-1.0"]) == 2
    assert main(["data", "publish", f"rows={made}", f"out={out}", "licence=mit", "push=a/b"]) == 2
    settings = [f"rows={made}", f"out={out}", "licence=mit"]
    for about in (tmp_path / "none.md", tmp_path):
        assert main(["data", "publish", *settings, f"about={about}"]) == 2
    assert main(["data", "publish", f"rows={tmp_path / 'no'}", *settings[1:]]) == 2
    file = out / "SHA256SUMS"
    assert main(["data", "publish", f"rows={made}", f"out={file}", "licence=mit"]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 7
    for said in (
        *("licence is 'CC 0'", "holds something else", "HF_HUB_OFFLINE is set"),
        f"about={tmp_path / 'none.md'} cannot be read: No such file or directory",
        f"about={tmp_path} cannot be read: Is a directory",
        f"{tmp_path / 'no'}: no such file",
        f"out={file} is a file; expected a folder",
    ):
        assert said in errors


def test_an_upload_that_fails_leaves_the_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = tmp_path / "made", tmp_path / "hub"
    settings = ["set=kv", "length=2048", "samples=1", "questions_per_context=2"]
    assert main(["probes", *settings, f"out={made}"]) == 0
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "key")
    monkeypatch.setattr(huggingface_hub, "HfApi", Refusing)
    capsys.readouterr()
    given = [f"rows={made}", f"out={out}", "licence=mit", "push=me/mills"]
    assert main(["data", "publish", *given]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "me/mills cannot be uploaded: no right" in error
    assert f"{out} is whole, and the same command tries again" in error
    assert (out / "SHA256SUMS").exists()


class Refusing:
    """A hub's client without the right to write."""

    def create_repo(self, *given: Any, **more: Any) -> None:
        raise OSError("no right")


def test_two_sets_in_one_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest of one is none of the other's; it ended in a traceback."""
    made = ["backend=template", "documents=1", "questions=2", "length=1024", f"out={tmp_path}"]
    assert main(["prefixqa", *made]) == 0
    assert main(["ruler", "task=niah_single_1", "length=512", "samples=1", f"out={tmp_path}"]) == 2
    assert "is not a manifest of this command" in capsys.readouterr().err
