"""Files for others: both formats, ``datasets`` as their reader with declared features, and what is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from probes.__main__ import main
from probes.card import card, features
from probes.find import sets
from rows import publish
from rows.parquet import read_parquet
from rows.row import Row, read_jsonl, write_jsonl

SETTINGS = ("samples=2", "questions_per_context=2")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)


def loaded(folder: Path, name: str, cache: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), name, split="test", cache_dir=str(cache))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_datasets_reads_every_set(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    assert main(["set=all", "length=16384", f"format={kind}", f"out={out}", *SETTINGS]) == 0
    for name in sets():
        path = out / name / f"16384.{kind}"
        made = read_jsonl(path) if kind == "jsonl" else read_parquet(path)
        found = loaded(out, f"{name}_16384", tmp_path / "cache")
        assert [each["answers"] for each in found] == [row.answers for row in made]
        assert [each["context"] for each in found] == [row.context for row in made]
        meta = found[-1]["meta"]
        meta = json.loads(meta) if kind == "parquet" else meta
        assert meta["density"] == made[-1].meta["density"]
        assert meta["spans"] == made[-1].meta["spans"]
    assert publish.check(out) == []


def test_types_do_not_follow_the_first_rows(tmp_path: Path) -> None:
    """A list that is empty at first, and answers that look like dates: inferred types would break on them."""
    base = {"set": "kv", "length": 9, "seed": 0, "questions_of_a_kind": 1, "tokenizer": "t"}
    base |= {"generator": "1", "empty": False}
    long = "word " * 400_000
    rows = [
        Row(f"{n}", "probes", "kv", long, "?", "", [answer], 8, {**base, "spans": spans})
        for n, (answer, spans) in enumerate(
            [("2031-05-14", []), ("2031-05-14", []), ("later", []), ("17", [[1, 2]])] * 2
        )
    ]
    path = tmp_path / "kv" / "9.jsonl"
    assert write_jsonl(path, rows) == 8
    assert path.stat().st_size > 10 << 20
    from probes.card import note

    note(tmp_path, path, rows)
    found = loaded(tmp_path, "kv_9", tmp_path / "cache")
    assert [each["answers"] for each in found] == [row.answers for row in rows]
    assert found[3]["meta"]["spans"] == [[1, 2]]


def test_features_are_of_all_rows() -> None:
    extra = [{"list": []}, {"list": ["a"], "flag": True}]
    rows = [
        Row(f"{n}", "p", "kv", "c", "?", "", ["a"], 1, {"extra": e}) for n, e in enumerate(extra)
    ]
    (meta,) = [each for each in features(rows, text=False) if each["name"] == "meta"]
    fields = meta["struct"][0]["struct"]
    assert fields == [{"name": "list", "list": "string"}, {"name": "flag", "dtype": "bool"}]


def test_files_are_kept_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["set=kv,hop_2", "length=4096", "format=both", f"out={tmp_path}", *SETTINGS]
    assert main(given) == 0
    assert capsys.readouterr().out.count("wrote ") == 4
    assert main(given) == 0
    assert capsys.readouterr().out.count("kept ") == 4
    assert main([*given, "seed=1"]) == 2
    assert "made with other settings" in capsys.readouterr().err
    assert main([*given, "seed=1", "overwrite=true"]) == 0
    assert "kv_4096" in (tmp_path / "README.md").read_text()
    manifest = publish.read_manifest(tmp_path)
    assert "`kv`: " in card(manifest)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["set=kvv"], "unknown subtask 'kvv'"),
        (["set=kv", "format=csv"], "format is 'csv'"),
        (["set=,"], "expected all, or one or more names"),
        (["set=kv", "samples=0"], "samples is 0"),
        (["set=kv", "near=-1"], "near is -1"),
        (["set=ladder", "length=512"], "is too short for ladder"),
    ],
)
def test_wrong_settings_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    assert main([*given, f"out={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
