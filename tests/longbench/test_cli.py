"""``python -m longbench``: files, manifest, messages, exit codes."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore

from longbench.__main__ import COMMAND
from longbench.sources.source import FIXTURE
from longbench.tasks import EXTENDED_TASKS, TASKS
from rows.row import read_jsonl
from tests.commands import Run, refused, runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def longbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    # Tests of the bench in this process leave its group ``task`` there, which task= would choose from.
    store = ConfigStore.instance()
    monkeypatch.setattr(store, "repo", {k: v for k, v in store.repo.items() if k != "task"})
    return runner(COMMAND, tmp_path, monkeypatch, capfd)


def test_the_command_writes_files_and_nothing_else(tmp_path: Path) -> None:
    out, empty = tmp_path / "with blank, comma=sign", tmp_path / "cwd"
    empty.mkdir()
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    done = subprocess.run(
        [sys.executable, "-m", "longbench", "task=qasper,lcc_e", f"data={FIXTURE}", f"out={out}"],
        env=os.environ | {"PYTHONPATH": path},
        cwd=empty,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith(
        f"wrote {out / 'qasper.jsonl'}: 2 rows, data data ("
    )
    assert sorted(each.name for each in out.iterdir()) == [
        *("lcc_e.jsonl", "manifest.json", "qasper.jsonl")
    ]
    rows = read_jsonl(out / "qasper.jsonl")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["qasper"]["rows"] == len(rows) == 2
    assert manifest["qasper"]["data_sha256"] == rows[0].meta["data_sha256"]
    assert list(empty.iterdir()) == []


def test_all_tasks_at_once(longbench: Run, tmp_path: Path) -> None:
    done = longbench("task=all,all_e,v2", f"out={tmp_path / 'out'}", "split=prefix", "samples=1")
    assert done.returncode == 0
    names = {path.stem for path in (tmp_path / "out").glob("*.jsonl")}
    assert names == {*TASKS, *(f"{name}_e" for name in EXTENDED_TASKS), "v2"}
    assert len(done.stdout.splitlines()) == 35


@pytest.mark.parametrize("change", ["split=prefix", "samples=1"])
def test_a_file_is_kept_for_its_settings_and_protected_from_others(
    longbench: Run, tmp_path: Path, change: str
) -> None:
    out = f"out={tmp_path}"
    first = longbench(out)
    path = tmp_path / "qasper.jsonl"
    made, before = path.read_bytes(), path.stat().st_mtime_ns
    assert longbench(out).stdout == first.stdout.replace("wrote", "kept")
    refused(longbench(out, change), "overwrite=true")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (made, before)
    assert longbench(out, change, "overwrite=true").returncode == 0
    assert path.read_bytes() != made


def test_a_damaged_file_is_not_taken_for_a_finished_one(longbench: Run, tmp_path: Path) -> None:
    longbench(f"out={tmp_path}")
    path = tmp_path / "qasper.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    refused(longbench(f"out={tmp_path}"), "overwrite=true")


def test_a_full_disk_gets_one_line(
    longbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    done = longbench(f"out={tmp_path / 'out'}")
    assert (done.returncode, done.stdout) == (
        1,
        "",
    )  # no setting is wrong: the same command goes on
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=qaspar"], "unknown LongBench task 'qaspar'"),
        (["task=vcsum_e"], "vcsum is not in LongBench-E"),
        (["task=,"], "expected all, all_e, v2"),
        (["samples=0"], "samples is 0"),
        (["samples=few"], "samples: Value 'few'"),
        (["split=half"], "unknown split 'half'"),
        (["prompts=mine"], "neither suite nor official"),
        (["data=nowhere"], "there is no nowhere"),
        (["data=official"], "data.zip of zai-org/LongBench is not in the hub's cache"),
        (["prompts=official"], "dataset2prompt.json cannot be fetched"),
        (["lenght=512"], "unknown key 'lenght'; known: data, task,"),
    ],
)
def test_wrong_input_gets_one_line_and_exit_code_2(
    longbench: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    # The hub's client reads its own offline switch once, when it is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    out = tmp_path / "out"
    refused(longbench(f"out={out}", *arguments), message)
    assert not out.exists()


def test_malformed_data_are_named_by_line(longbench: Run, tmp_path: Path) -> None:
    lines = (FIXTURE / "qasper.jsonl").read_text().splitlines()
    data = tmp_path / "qasper.jsonl"
    data.write_text(lines[0] + '\n{"input": "x"}\n')
    refused(
        longbench(f"data={data}", f"out={tmp_path / 'out'}"),
        f"{data}:2: field 'context' is missing",
    )


def test_out_must_be_given_and_be_a_place_for_files(longbench: Run, tmp_path: Path) -> None:
    refused(longbench(), "out is missing")
    (tmp_path / "file").write_text("")
    refused(longbench(f"out={tmp_path / 'file' / 'deeper'}"), "is not a folder")


def test_help_names_tasks_and_keys(longbench: Run) -> None:
    done = longbench("--help")
    assert done.returncode == 0
    for word in ("passage_retrieval_zh", "all_e", "split", "official", "overwrite", "Exit code"):
        assert word in done.stdout
