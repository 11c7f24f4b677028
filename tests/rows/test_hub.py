"""A folder for a hub: it loads with declared types, says its licence, and shows damage."""

from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pytest

from rows import hub
from rows.row import Row

ABOUT = hub.About("Mills", "cc0-1.0", "Invented by hand.")


def rows(subtask: str, count: int = 2, **meta: Any) -> list[Row]:
    return [
        Row(
            f"{subtask}-{n}",
            "qa",
            subtask,
            "Once.",
            "When?",
            "",
            ["1999"],
            4,
            {"length": 16, **meta},
        )
        for n in range(count)
    ]


def test_datasets_reads_every_configuration(tmp_path: Path) -> None:
    out = tmp_path / "set"
    hub.publish([*rows("kv", 3), *rows("hop", seed=4)], out, ABOUT)
    cache = str(tmp_path / "cache")
    found = datasets.load_dataset(str(out), "kv_16", split="test", cache_dir=cache)
    assert len(found) == 3
    assert found.features["answers"] == datasets.List(datasets.Value("string"))
    assert found[0]["answers"] == ["1999"]  # a text, not a number and not a date
    info = datasets.get_dataset_config_names(str(out))
    assert info == ["hop_16", "kv_16"]
    card = (out / hub.CARD).read_text()
    assert "license: cc0-1.0" in card
    assert "Invented by hand." in card
    assert "seed 4" in card


def test_rows_of_any_length_of_one_task_are_one_configuration(tmp_path: Path) -> None:
    """LongBench's length is a number of words, another one in each row."""
    found = [Row(f"qasper-{n}", "longbench", "qasper", "Once.", "When?", "", ["1999"], 4,
                 {"length": 3000 + n, "prompts": "suite"}) for n in range(3)]  # fmt: skip
    hub.publish(found, tmp_path, ABOUT)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["qasper"]
    assert "| `qasper` | 3 | 1 | prompts suite |" in (tmp_path / hub.CARD).read_text()


def test_damage_and_gaps_are_seen(tmp_path: Path) -> None:
    hub.publish(rows("kv"), tmp_path, ABOUT)
    assert hub.wrong(tmp_path) == []
    (tmp_path / hub.CARD).write_text("other")
    (tmp_path / "data" / "kv_16" / "test.parquet").unlink()
    assert hub.wrong(tmp_path) == ["data/kv_16/test.parquet", hub.CARD]


def test_an_older_set_is_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    hub.publish(rows("kv"), tmp_path / "a", ABOUT)
    hub.publish(rows("hop"), tmp_path / "a", ABOUT)
    assert [path.name for path in (tmp_path / "a" / "data").iterdir()] == ["hop_16"]
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds something else"):
        hub.publish(rows("kv"), tmp_path, ABOUT)


def test_an_older_set_stays_whole_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a"
    hub.publish(rows("kv"), out, ABOUT)

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(hub, "write_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        hub.publish(rows("hop"), out, ABOUT)
    assert hub.wrong(out) == []
    assert [path.name for path in (out / "data").iterdir()] == ["kv_16"]
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("licence", ["", "CC0 1.0", "../x"])
def test_a_licence_is_an_identifier(tmp_path: Path, licence: str) -> None:
    with pytest.raises(ValueError, match="licence is"):
        hub.publish(rows("kv"), tmp_path, hub.About("x", licence))


def test_without_a_key_nothing_is_pushed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set"):
        hub.push(tmp_path, "me/mills")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(ValueError, match="push needs a key"):
        hub.push(tmp_path, "me/mills")
    with pytest.raises(ValueError, match="expected OWNER/NAME"):
        hub.push(tmp_path, "mills")


class Api:
    """In the hub's place: keeps what it is asked."""

    asked: dict[str, dict[str, Any]]

    def __init__(self) -> None:
        Api.asked = {}

    def create_repo(self, name: str, **more: Any) -> None:
        Api.asked["create"] = {"name": name, **more}

    def upload_folder(self, **more: Any) -> Any:
        Api.asked["upload"] = more
        return type("Commit", (), {"commit_url": "https://hub/me/mills"})


def test_a_whole_folder_is_pushed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "key")
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    hub.publish(rows("kv"), tmp_path, ABOUT)
    assert hub.push(tmp_path, "me/mills") == "https://hub/me/mills"
    assert Api.asked["create"]["private"] is True
    assert Api.asked["upload"]["folder_path"] == tmp_path
    (tmp_path / hub.CARD).write_text("other")
    with pytest.raises(ValueError, match=r"README.md .* is not as it was written"):
        hub.push(tmp_path, "me/mills")


class Away(Api):
    """In the place of a hub that cannot be reached."""

    def create_repo(self, name: str, **more: Any) -> None:
        raise RuntimeError("connection refused")  # as clients of HTTP do: no OSError


def test_a_hub_that_cannot_be_reached_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It ended in the client's traceback."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "key")
    monkeypatch.setattr(huggingface_hub, "HfApi", Away)
    hub.publish(rows("kv"), tmp_path, ABOUT)
    with pytest.raises(OSError, match="me/mills cannot be uploaded: connection refused"):
        hub.push(tmp_path, "me/mills")
