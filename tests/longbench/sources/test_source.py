"""Finding data: folder, zip, single file, hub, fixture; and what is said when there are none."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from huggingface_hub.utils import filter_repo_objects

from longbench.errors import LongBenchError
from longbench.fixture import make
from longbench.prompting.prompts import load_prompts
from longbench.rows import rows
from longbench.sources import fetch
from longbench.sources.source import FIXTURE, find
from rows.row import Row

QASPER = (FIXTURE / "qasper.jsonl").read_bytes()
V2 = (FIXTURE / "v2.jsonl").read_bytes()


def contexts(data: str, task: str = "qasper") -> list[Row]:
    """The rows, without what says where they come from."""
    return [row.context for row in rows(task, find(data, task), load_prompts("suite"))]  # type: ignore[misc]


EXPECTED = contexts("fixture")


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["qasper.jsonl", "data/qasper.jsonl", "qasper.json"])
def test_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(QASPER)
    assert contexts(str(tmp_path)) == EXPECTED
    assert find(str(tmp_path), "qasper").checked is False


@pytest.mark.parametrize(
    "name", ["qasper.parquet", "qasper/test-00000-of-00001.parquet", "data/qasper/0000.parquet"]
)
def test_a_parquet_mirror(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
    pd.DataFrame(make.records("qasper")).to_parquet(tmp_path / name)
    assert contexts(str(tmp_path)) == EXPECTED


def test_a_zip_and_a_folder_with_the_zip(tmp_path: Path) -> None:
    members = {
        "data/qasper.jsonl": QASPER,
        "data/qasper_e.jsonl": b"",
        "__MACOSX/qasper.jsonl": b"",
    }
    path = zipped(tmp_path / "data.zip", members)
    assert contexts(str(path)) == contexts(str(tmp_path)) == EXPECTED
    assert find(str(path), "qasper").member == "data/qasper.jsonl"


def test_a_single_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(QASPER)
    assert contexts(str(path)) == EXPECTED


@pytest.mark.parametrize("name", ["data.json", "longbench_v2.jsonl"])
def test_v2_by_its_official_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / name).write_bytes(V2)
    path = zipped(tmp_path / "data.zip", {f"inside/{name}": V2})
    for data in (tmp_path / "here", path):
        assert contexts(str(data), "v2") == contexts("fixture", "v2")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere", "there is no nowhere; expected a folder"),
        (
            "empty",
            "there is no qasper.jsonl .* get it from https://huggingface.co/datasets/zai-org",
        ),
        ("none.zip", "0 members named qasper.jsonl"),
        ("twice.zip", "2 members named qasper.jsonl"),
        ("other.txt", "is no zip, .jsonl, .json or .parquet file"),
        ("parts", "in 2 parts"),
    ],
)
def test_missing_data_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("other.txt").write_text("text")
    zipped(Path("none.zip"), {"data/trec.jsonl": b""})
    zipped(Path("twice.zip"), {"a/qasper.jsonl": b"", "b/qasper.jsonl": b""})
    for part in ("0", "1"):
        Path("parts/qasper").mkdir(parents=True, exist_ok=True)
        Path(f"parts/qasper/test-{part}.parquet").write_bytes(b"")
    with pytest.raises(LongBenchError, match=message):
        find(data, "qasper")


def test_a_damaged_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "data.zip", {"data/qasper.jsonl": QASPER * 50})
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(LongBenchError, match=r"data\.zip/data/qasper\.jsonl cannot be read"):
        contexts(str(path))


def test_offline_the_error_names_file_place_and_override(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **kwargs: Any) -> str:
        raise OSError("offline mode is enabled\nmore")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(LongBenchError) as refused:
        find("official", "qasper")
    message = str(refused.value)
    for part in ("data.zip", "zai-org/LongBench", fetch.V1.revision, "data=PATH", "data=fixture"):
        assert part in message
    assert "\n" not in message
    with pytest.raises(LongBenchError, match=r"data\.json of zai-org/LongBench-v2"):
        find("official", "v2")
    with pytest.raises(LongBenchError, match="data set some/mirror is not in the hub's cache"):
        find("hub:some/mirror@abc", "qasper")


def test_the_official_archive_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "data.zip", {"data/qasper.jsonl": QASPER})
    asked = []

    def download(*args: Any, **kwargs: Any) -> str:
        asked.append((args, kwargs["revision"]))
        return str(path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    with pytest.raises(LongBenchError, match=f"expected {fetch.V1.sha256}"):
        find("official", "qasper")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(fetch, "V1", fetch.Archive("zai-org/LongBench", "5e62", "data.zip", right))
    assert contexts("official") == EXPECTED
    assert find("official", "qasper").checked
    assert asked[0] == (
        ("zai-org/LongBench", "data.zip"),
        "5e628be450b7e67fb7ae6e201bd6d8f7056f7672",
    )


def test_a_mirror_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "qasper").mkdir()
    pd.DataFrame(make.records("qasper")).to_parquet(tmp_path / "qasper" / "test-0.parquet")
    asked: list[tuple[str, str | None]] = []

    def download(repo: str, **kwargs: Any) -> str:
        asked.append((repo, kwargs["revision"]))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert contexts("hub:some/mirror@abc123") == EXPECTED
    assert asked == [("some/mirror", "abc123")]
    assert find("hub:some/mirror@abc123", "qasper").origin == "some/mirror@abc123"


@pytest.mark.parametrize(
    ("task", "name"),
    [("v2", "data.json"), ("v2", "longbench_v2.jsonl"), ("qasper", "data/qasper.jsonl")],
)
def test_a_mirror_is_asked_for_every_name_that_data_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, name: str
) -> None:
    remote = {name: V2 if task == "v2" else QASPER, "README.md": b"text"}

    def download(repo: str, *, allow_patterns: list[str], **kwargs: Any) -> str:
        for path in filter_repo_objects(remote, allow_patterns=allow_patterns):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(remote[path])
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert contexts("hub:some/mirror@abc123", task) == contexts("fixture", task)
    assert not (tmp_path / "README.md").exists()
