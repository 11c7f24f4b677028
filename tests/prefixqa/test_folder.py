"""A run that is killed while files are written: the next one goes on, and readers never see half a set."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefixqa.output import folder as module
from prefixqa.output.folder import MANIFEST, READY, WRITING, new_set, recover
from tests.commands import Run, refused


def write(out: Path, word: str, splits: tuple[str, ...]) -> None:
    """A small set: every file says ``word``."""
    with new_set(out) as folder:
        names = ["prefixqa.jsonl", "README.md", *(f"data/pairs/{each}.parquet" for each in splits)]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(word)
        (folder / MANIFEST).write_text(json.dumps({"word": word, "files": dict.fromkeys(names)}))


def words(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): path.read_text()
        for path in out.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


class KilledError(BaseException):
    pass


def killed_at(step: int, out: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Writes a second set and dies at change ``step`` of the file system; whether it did."""
    done = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if (
                done > step
            ):  # a process that is dead changes nothing any more, in no clean-up either
                raise KilledError
            return change(*arguments, **options)

        return changed

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "unlink", "mkdir", "write_text"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(module.shutil, "rmtree", counted(shutil.rmtree))
        try:
            write(out, "new", ("test",))
        except KilledError:
            return True
    return False


def test_wherever_it_dies_one_whole_set_is_there_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    step = 0
    while True:
        out = tmp_path / str(step)
        write(out, "old", ("train", "test"))
        (out / ".cache").mkdir()
        (out / ".cache" / "paid").write_text("kept")
        died = killed_at(step, out, monkeypatch)
        recover(out)
        found = words(out)
        assert found.pop(".cache/paid") == "kept"
        word = json.loads((out / MANIFEST).read_text())["word"]
        assert set(found.values()) == {word}
        wanted = {"old": 4, "new": 3}[word]
        assert len(found) == wanted
        assert not (out / READY).exists()
        assert not (out / WRITING).exists()
        seen.add(word)
        write(out, "next", ("test",))  # and the next run works
        step += 1
        if not died:
            break
    assert step > 10
    assert seen == {"old", "new"}


def test_another_writer_is_refused(tmp_path: Path) -> None:
    with new_set(tmp_path) as folder:
        with pytest.raises(ValueError, match="another process writes into"), new_set(tmp_path):
            pytest.fail("two at once")
        (folder / MANIFEST).write_text('{"files": {}}')
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_killed_command_goes_on(prefixqa: Run, tmp_path: Path) -> None:
    """A kill between the files leaves what the next command moves into place; nothing is made again."""
    out = tmp_path / "set"
    small = ("documents=1", "questions=4", "length=1500", f"out={out}")
    assert prefixqa(*small).returncode == 0
    digest = hashlib.sha256((out / "prefixqa.jsonl").read_bytes()).hexdigest()
    (out / READY).mkdir()
    for name in (MANIFEST, "prefixqa.jsonl"):
        (out / name).replace(out / READY / name)
    done = prefixqa(*small)
    assert done.stdout.startswith("kept ")
    assert hashlib.sha256((out / "prefixqa.jsonl").read_bytes()).hexdigest() == digest
    (out / MANIFEST).unlink()
    refused(prefixqa(*small), "has no manifest.json")


def test_a_full_disk_is_no_fault_of_the_settings(
    prefixqa: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "README.md")

    monkeypatch.setattr("prefixqa.output.write.write_plots", full)
    done = prefixqa("documents=1", "questions=4", "length=1500", f"out={tmp_path / 'set'}")
    assert done.returncode == 1
    assert (
        "No space left on device: README.md. Make room and run the same command again"
        in done.stderr
    )
    assert list((tmp_path / "set").iterdir()) == []
