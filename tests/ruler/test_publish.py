"""Folders for others: both formats, the card, the manifest, and ``datasets`` as their reader."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from rows import publish
from rows.parquet import read_parquet, write_parquet
from rows.row import RowError, read_jsonl
from ruler.generate import generate
from tests.ruler.test_cli import Run, empty, refused, ruler  # noqa: F401 - fixtures


def test_rows_are_the_same_after_parquet(tokenizer: Any, tmp_path: Path) -> None:
    rows = list(generate("vt", tokenizer, 900, 2))
    path = tmp_path / "new" / "rows.parquet"
    assert write_parquet(path, rows) == 2
    assert read_parquet(path) == rows
    assert [each.name for each in path.parent.iterdir()] == ["rows.parquet"]


def test_bad_parquet_is_refused_by_name(tokenizer: Any, tmp_path: Path) -> None:
    (row,) = generate("fwe", tokenizer, 600, 1)
    with pytest.raises(RowError, match="appears twice"):
        write_parquet(tmp_path / "a.parquet", [row, row])
    with pytest.raises(RowError, match="no row to write"):
        write_parquet(tmp_path / "a.parquet", [])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(RowError, match=r"a\.parquet: not a Parquet file"):
        read_parquet(tmp_path / "a.parquet")


@pytest.fixture
def folder(ruler: Run, tmp_path: Path, data: dict[str, Path]) -> Path:  # noqa: F811
    out = tmp_path / "out"
    local = [f"{name}={path}" for name, path in data.items()]
    for task in ("niah_single_1,vt", "qa_1"):
        settings = [f"task={task}", "length=900", "samples=2", "format=both", f"out={out}"]
        assert ruler(*settings, *local).returncode == 0
    return out


def test_datasets_reads_every_file_of_a_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    from datasets import get_dataset_config_names, load_dataset

    names = get_dataset_config_names(str(folder))
    assert set(names) == {f"{task}_900" for task in ("niah_single_1", "vt", "qa_1")}
    for name in names:
        loaded = load_dataset(str(folder), name, split="test", cache_dir=str(tmp_path / "cache"))
        made = read_jsonl(folder / name.removesuffix("_900") / "900.jsonl")
        assert [each["context"] for each in loaded] == [row.context for row in made]
        assert [each["answers"] for each in loaded] == [row.answers for row in made]
        assert [json.loads(each["meta"]) for each in loaded] == [row.meta for row in made]


def test_datasets_reads_a_folder_of_jsonl(
    ruler: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    from datasets import load_dataset

    out = tmp_path / "out"
    assert ruler("task=niah_single_1,cwe", "length=900", "samples=2", f"out={out}").returncode == 0
    for task in ("niah_single_1", "cwe"):
        cache = str(tmp_path / "cache")
        loaded = load_dataset(str(out), f"{task}_900", split="test", cache_dir=cache)
        made = read_jsonl(out / task / "900.jsonl")
        assert [each["context"] for each in loaded] == [row.context for row in made]
        assert loaded[0]["meta"]["positions"] == made[0].meta["positions"]


def test_the_manifest_has_every_file_and_finds_changes(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("900.*")}
    assert set(manifest["files"]) == files
    entry = manifest["files"]["qa_1/900.jsonl"]
    assert (entry["rows"], entry["prompts"], entry["seed"]) == (2, "suite", 42)
    assert entry["documents"]
    assert publish.check(folder) == []
    path = folder / "vt" / "900.jsonl"
    path.write_bytes(path.read_bytes().replace(b"SET", b"GET", 1))
    (folder / "qa_1" / "900.parquet").unlink()
    assert publish.check(folder) == ["qa_1/900.parquet", "vt/900.jsonl"]


def test_the_card_names_sources_and_files(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert "SQuAD 2.0" in card
    assert "HotpotQA" not in card
    assert "| vt/900.jsonl | vt | 2 | 900 | suite | mini |  | 42 |" in card
    assert card.startswith("---\n")


def test_making_the_same_again_changes_no_file(folder: Path, ruler: Run) -> None:  # noqa: F811
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = ruler("task=vt", "length=900", "samples=2", "format=both", f"out={folder}")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["kept", "kept"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_card_of_others_is_left_alone(ruler: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "README.md").write_text("mine")
    refused(ruler("task=vt", "length=900", f"out={tmp_path}"), "not ours")
    (tmp_path / "manifest.json").write_text("[]")
    refused(ruler("task=vt", "length=900", f"out={tmp_path}"), "is not a manifest")
    assert (tmp_path / "README.md").read_text() == "mine"
    assert not (tmp_path / "vt").exists()


def test_meta_may_hold_anything_json_can(tokenizer: Any, tmp_path: Path) -> None:
    (row,) = generate("fwe", tokenizer, 600, 1)
    row = dataclasses.replace(row, meta={"a": [1, None, {"ü": 0.5}]})
    write_parquet(tmp_path / "a.parquet", [row])
    assert read_parquet(tmp_path / "a.parquet") == [row]
