"""``python -m ruler``: files, messages, exit codes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rows.row import read_jsonl
from ruler.__main__ import COMMAND
from ruler.tasks import TASKS
from tests.commands import Done, Run, refused, runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no way to a network."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture
def ruler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    return runner(COMMAND, tmp_path, monkeypatch, capfd)


def in_a_process(*arguments: str) -> Done:
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "ruler", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_the_command_writes_a_file_and_nothing_else(empty: Path, tmp_path: Path) -> None:
    out = tmp_path / "with blank, comma=sign"
    done = in_a_process("task=niah_single_2,vt", "length=1024", "samples=2", f"out={out}")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (out / name / "1024.jsonl" for name in ("niah_single_2", "vt"))
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"wrote {first}: 2 rows, 9")
    assert lines[0].endswith("noise in place of essay")
    assert lines[1].startswith(f"wrote {second}: 2 rows, 9")
    files = {path for path in out.rglob("*") if path.is_file()}
    assert files == {first, second, out / "README.md", out / "manifest.json"}
    rows = read_jsonl(first)
    assert [row.id for row in rows] == [f"niah_single_2-1024-0000{i}-q0" for i in (0, 1)]
    assert rows[0].meta["tokenizer"] == "mini"
    assert list(empty.iterdir()) == []  # Hydra leaves nothing behind


def test_the_command_ends_with_2_on_wrong_input(empty: Path) -> None:
    refused(in_a_process("out=here", "task=niah_single_9"), "unknown RULER task 'niah_single_9'")
    assert list(empty.iterdir()) == []


def test_all_tasks_can_be_made_at_once(ruler: Run, tmp_path: Path, data: dict[str, Path]) -> None:
    local = [f"{name}={path}" for name, path in data.items()]
    done = ruler("task=all", "length=1024", "samples=1", f"out={tmp_path / 'out'}", *local)
    assert done.returncode == 0
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == set(TASKS)
    assert len(done.stdout.splitlines()) == len(TASKS)


def test_offline_the_tasks_without_data_are_left_out_and_said(
    ruler: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEEZED_DATA", str(tmp_path / "cache"))
    done = ruler("task=all", "length=1024", "samples=1", f"out={tmp_path / 'out'}")
    assert done.returncode == 2
    made = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert made == set(TASKS) - {"qa_1", "qa_2"}
    assert len(done.stderr.splitlines()) == 1
    for word in ("qa_1", "dev-v2.0.json", "https://rajpurkar", "squad=PATH", "hotpotqa=PATH"):
        assert word in done.stderr
    refused(ruler("task=qa_2", f"out={tmp_path / 'other'}"), "hotpotqa=PATH")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("change", ["seed=1", "samples=3", "questions_per_context=2"])
def test_a_file_is_kept_for_its_settings_and_protected_from_others(
    ruler: Run, tmp_path: Path, change: str
) -> None:
    settings = ["task=niah_multikey_2", "length=600", "samples=2", f"out={tmp_path}"]
    path = tmp_path / "niah_multikey_2" / "600.jsonl"
    first = ruler(*settings)
    made = path.read_bytes()
    before = path.stat().st_mtime_ns
    assert ruler(*settings).stdout == first.stdout.replace("wrote", "kept")
    refused(ruler(*settings, change), "overwrite=true")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (made, before)
    assert ruler(*settings, change, "overwrite=true").returncode == 0
    assert path.read_bytes() != made


def test_a_damaged_file_is_not_taken_for_a_finished_one(ruler: Run, tmp_path: Path) -> None:
    settings = ["task=fwe", "length=600", "samples=2", f"out={tmp_path}"]
    ruler(*settings)
    path = tmp_path / "fwe" / "600.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    refused(ruler(*settings), "overwrite=true")


def test_a_full_disk_gets_one_line(
    ruler: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    done = ruler("task=fwe", "length=600", "samples=1", f"out={tmp_path / 'out'}")
    done = done
    assert (done.returncode, done.stdout) == (
        1,
        "",
    )  # no setting is wrong: the same command goes on
    assert "No space left on device" in done.stderr
    assert list((tmp_path / "out" / "fwe").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=niah_single_9"], "unknown RULER task 'niah_single_9'"),
        (["lenght=512"], "unknown key 'lenght'; did you mean length?"),
        (["+lenght=512"], "unknown key 'lenght'; did you mean length?"),
        (["zzz=1"], "unknown key 'zzz'; known: haystack,"),
        (["--cfg"], "unknown flag --cfg"),
        (["overwrite"], "overwrite has no value"),
        (["workers=0"], "workers is 0; expected at least 1"),
        (["format=csv"], "format is 'csv'; expected one of jsonl, parquet, both"),
        (["hops=3"], "task niah_single_1 has no parameter 'hops'; it has haystack, key_type,"),
        (["haystack=hay"], "haystack is 'hay'"),
        (["keys=many"], "keys: Value 'many'"),
        (["prompts=./nothing.py"], "unknown prompt set './nothing.py'"),
        (["chat=true"], "no chat template"),
        (["task=qa_1", "squad=nowhere.json"], "squad: no file nowhere.json"),
        (["essays=nowhere.txt", "task=niah_single_2"], "essays: no file nowhere.txt"),
        (["length=abc"], "length: Value 'abc'"),
        (["samples=0"], "samples is 0; expected at least 1"),
        (["tokenizer=./nowhere"], "tokenizer: no folder ./nowhere"),
        (["tokenizer=nobody/nothing"], "tokenizer: cannot load 'nobody/nothing'"),
        (["length=100", "samples=2"], "length 100 is too short for niah_single_1"),
        (["seed=("], "seed=("),
    ],
)
def test_wrong_input_gets_one_line_and_exit_code_2(
    ruler: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = tmp_path / "out"
    refused(ruler(f"out={out}", *arguments), message)
    assert not out.exists()


def test_out_must_be_given_and_be_a_place_for_files(ruler: Run, tmp_path: Path) -> None:
    refused(ruler(), "out is missing")
    (tmp_path / "file").write_text("")
    refused(ruler(f"out={tmp_path / 'file' / 'deeper'}"), "is not a folder")


def test_help_names_tasks_and_keys(ruler: Run) -> None:
    done = ruler("--help")
    assert done.returncode == 0
    for word in ("niah_multikey_3", "fwe", "questions_per_context", "overwrite", "Exit code"):
        assert word in done.stdout
