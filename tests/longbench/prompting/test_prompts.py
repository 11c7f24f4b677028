"""Prompt sets: ours, files in the official format, and the official ones as they are fetched."""

import hashlib
import http.client
import io
import json
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from longbench.errors import LongBenchError
from longbench.prompting.prompts import load_prompts
from longbench.prompting.template import split_template
from longbench.sources import fetch
from longbench.tasks import TASKS

# What prompt files from elsewhere look like: the official labels in words of our own.
FOREIGN = json.loads((Path(__file__).parents[1] / "foreign.json").read_text(encoding="utf-8"))
BROKEN = b"half of a"
V2 = b"<$DOC$>\n\n$Q$ $C_A$ $C_B$ $C_C$ $C_D$"


class Answer(io.BytesIO):
    """What a server says: ``BROKEN`` breaks the connection."""

    headers = Message()

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if content == BROKEN:
            raise http.client.IncompleteRead(content)
        return content


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """A web of prompt files; ``asked`` holds what was fetched from it."""
    monkeypatch.setenv("SQUEEZED_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    files = {
        "LongBench/config/dataset2prompt.json": json.dumps(FOREIGN).encode(),
        "LongBench/config/dataset2maxlen.json": b'{"qasper": 99}',
        "prompts/0shot.txt": V2,
    }

    def urlopen(url: str, timeout: float) -> Answer:
        name = url.removeprefix(fetch.PROMPTS_URL)
        if name not in files:
            raise urllib.error.URLError(f"no {name}")
        return Answer(files[name])

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    checksums = fetch.PROMPT_FILES | {"prompts/0shot.txt": hashlib.sha256(V2).hexdigest()}
    monkeypatch.setattr(fetch, "PROMPT_FILES", checksums)
    return files


def test_the_suite_has_every_task_and_each_splits() -> None:
    suite = load_prompts("suite")
    assert suite.name == "suite"
    assert set(suite.templates) == set(suite.limits) == set(TASKS)
    assert suite.v2 is not None
    for task in TASKS.values():
        split_template(suite.template(task), task)


def test_files_in_the_official_format(foreign: Path) -> None:
    found = load_prompts(str(foreign))
    assert found.template(TASKS["trec"]) == FOREIGN["trec"]
    assert (found.limits["qasper"], found.limits["trec"], found.v2) == (17, 64, None)
    assert found.name == f"file-{found.sha256[:8]}"
    alone = load_prompts(str(foreign / "dataset2prompt.json"))
    assert alone == found
    (foreign / "dataset2prompt.json").write_text(
        json.dumps(FOREIGN | {"trec": "{context} {input}"})
    )
    assert load_prompts(str(foreign)).name != found.name


def test_the_official_set_is_fetched_once_and_kept_as_it_came(web: dict[str, bytes]) -> None:
    first = load_prompts("official")
    assert first.name == "official-2e00731f"
    assert (first.templates, first.limits["qasper"], first.v2) == (FOREIGN, 99, V2.decode())
    folder = fetch.cache_folder()
    for name, content in web.items():
        assert (folder / Path(name).name).read_bytes() == content
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["dataset2prompt.json"]["checksum"] == "recorded when fetched"
    assert manifest["0shot.txt"]["checksum"] == "known"
    assert (
        manifest["dataset2prompt.json"]["sha256"]
        == hashlib.sha256(web["LongBench/config/dataset2prompt.json"]).hexdigest()
    )
    web.clear()
    assert load_prompts("official") == first


def test_a_changed_file_is_noticed(web: dict[str, bytes]) -> None:
    load_prompts("official")
    path = fetch.cache_folder() / "dataset2prompt.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        LongBenchError, match=r"dataset2prompt\.json has SHA-256 .* to fetch it again"
    ):
        load_prompts("official")


def test_a_wrong_checksum_is_refused_and_not_kept(web: dict[str, bytes]) -> None:
    web["prompts/0shot.txt"] = V2 + b"\n"
    with pytest.raises(LongBenchError, match=r"0shot\.txt has SHA-256"):
        load_prompts("official")
    assert not (fetch.cache_folder() / "0shot.txt").exists()


def test_a_broken_download_is_one_line_and_not_kept(web: dict[str, bytes]) -> None:
    web["prompts/0shot.txt"] = BROKEN
    with pytest.raises(
        LongBenchError, match=r"0shot\.txt cannot be fetched \(the connection broke"
    ):
        load_prompts("official")
    assert not (fetch.cache_folder() / "0shot.txt").exists()


def test_files_are_kept_with_all_other_data(web: dict[str, bytes], tmp_path: Path) -> None:
    load_prompts("official")
    kept = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert kept == {"dataset2prompt.json", "dataset2maxlen.json", "0shot.txt", "manifest.json"}


@pytest.mark.parametrize("offline", ["1", "0"])
def test_without_a_network_the_error_says_what_to_do(
    web: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, offline: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    web.clear()
    with pytest.raises(LongBenchError) as refused:
        load_prompts("official")
    for part in ("dataset2prompt.json", fetch.PROMPTS_URL, "prompts=PATH", "prompts=suite"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "neither suite nor official"),
        ({}, "there is no dataset2prompt.json"),
        ({"dataset2prompt.json": "{"}, "not a JSON file"),
        ({"dataset2prompt.json": "[]"}, "must be an object with a template for each task"),
        ({"dataset2prompt.json": '{"a": 1}'}, "must be an object"),
        (
            {"dataset2prompt.json": "{}", "dataset2maxlen.json": '{"a": "b"}'},
            "with a number of tokens",
        ),
    ],
)
def test_bad_prompt_files_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    folder = tmp_path / "here"
    if files is not None:
        folder.mkdir()
    for name, content in (files or {}).items():
        (folder / name).write_text(content)
    with pytest.raises(LongBenchError, match=message):
        load_prompts(str(folder))


def test_a_task_without_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset2prompt.json").write_text("{}")
    found: Any = load_prompts(str(tmp_path))
    with pytest.raises(LongBenchError, match="no template for trec"):
        found.template(TASKS["trec"])
