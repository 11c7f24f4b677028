"""Kept answers: full, locked, read-only and damaged are four things, and what is paid is kept in all."""

import json
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from prefixqa.service.reply import Response
from prefixqa.service.store import RESERVE_BYTES, Store, StoreError, StoreFullError

ANSWER = Response("text", "stop", None, 5, 7)


def raw(folder: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    file = sqlite3.connect(folder / "responses.sqlite")
    try:
        found = file.execute(statement, values).fetchall()
        file.commit()
        return found
    finally:
        file.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="another process"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_damaged_store_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "responses.sqlite").write_bytes(b"not a database, but money" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path)
    assert (tmp_path / "responses.sqlite").read_bytes().startswith(b"not a database")


def test_a_store_that_another_program_holds_is_locked_and_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefixqa.service.store.BUSY", 0.1)
    Store(tmp_path).close()
    other = sqlite3.connect(tmp_path / "responses.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked by another program"):
        Store(tmp_path)
    other.close()
    Store(tmp_path).close()


INSIDE = """
import sys
from pathlib import Path
from prefixqa.service.reply import Response
from prefixqa.service.store import Store, StoreFullError
folder = Path(sys.argv[1])
answer = Response("x" * 4000, "stop", None, 5, 7)
try:
    store = Store(folder)
    kept = 0
    try:
        while not store.full:
            store.hold(str(kept), 1, 1)
            store.put(str(kept), "answer", answer)
            kept += 1
    except StoreFullError:  # of hold: it is not sent then
        pass
    print("full after", kept)
    for more in range(8):  # those that were under way
        store.put(f"way {more}", "answer", answer)
    store.close()
except Exception as error:
    print(type(error).__name__, error)
"""


def in_a_small_disk(tmp_path: Path, size: str, *steps: str) -> str:
    """Runs shell steps with a small file system at ``$disk``, which a namespace of its own mounts."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = tmp_path / "inside.py"
    script.write_text(INSIDE)
    python = f"PYTHONPATH={ROOT}:{ROOT / 'kernels'} {shlex.quote(sys.executable)} {script}"
    lines = [
        f"mount -t tmpfs -o size={size} none {disk} || exit 99",
        f"disk={disk}",
        f"run='{python}'",
    ]
    done = subprocess.run(
        ["unshare", "-Urm", "bash", "-c", "\n".join([*lines, *steps])],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no file systems can be mounted here")
    return done.stdout + done.stderr


def test_on_a_disk_that_fills_up_every_paid_answer_is_kept(tmp_path: Path) -> None:
    said = in_a_small_disk(
        tmp_path, "2500k",
        "eval $run $disk/cache",
        f"cp -r $disk/cache {tmp_path}/copy",
        "eval $run $disk/cache",  # goes on, or says again that there is no room
    )  # fmt: skip
    kept = int(said.splitlines()[0].removeprefix("full after "))
    assert "damaged" not in said
    store = Store(tmp_path / "copy")
    assert kept > 20
    assert all(store.get(str(number)) for number in range(kept))
    assert all(store.get(f"way {number}") for number in range(8))
    store.close()


def test_a_full_disk_at_the_start_is_no_damage(tmp_path: Path) -> None:
    said = in_a_small_disk(tmp_path, "100k", "eval $run $disk/cache")
    assert said.startswith("StoreFullError no room for answers")
    assert "make room and run the same command again" in said


def test_a_read_only_disk_is_no_damage(tmp_path: Path) -> None:
    said = in_a_small_disk(
        tmp_path, "8m",
        "eval $run $disk/cache > /dev/null",
        "mount -o remount,ro $disk",
        "eval $run $disk/cache",
    )  # fmt: skip
    assert said.startswith("StoreError")
    assert "cannot be written" in said
    assert "damaged" not in said


def test_a_kept_answer_that_cannot_be_read_is_set_aside_and_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in ("good", "odd", "list"):
        store.put(key, "answer", ANSWER)
    store.close()
    raw(tmp_path, "UPDATE responses SET response = '[1' WHERE key = 'odd'")
    parts = {"content": [{"type": "text", "text": "text"}], "finish": "stop", "refusal": None,
             "tokens_in": 5, "tokens_out": 7}  # fmt: skip
    raw(tmp_path, "UPDATE responses SET response = ? WHERE key = 'list'", json.dumps(parts))
    store = Store(tmp_path)
    assert store.get("good") == store.get("list") == ANSWER
    assert store.get("odd") is None
    assert store.set_aside == 1
    store.put("odd", "answer", ANSWER)
    assert store.get("odd") == ANSWER
    assert store.failures() == {"unreadable_kept": 1}
    store.close()
    assert raw(tmp_path, "SELECT key, response FROM unreadable") == [("odd", "[1")]


def test_what_was_sent_stays_in_the_account_until_it_is_answered_or_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in ("answered", "refused", "lost", "killed"):
        store.hold(key, 10, 20)
    assert store.held() == (4, 40, 80)
    store.put("answered", "answer", ANSWER)
    store.release("refused")
    store.lose("lost")
    store.close()
    store = Store(tmp_path)
    assert store.held() == (2, 20, 40)
    assert store.paid() == (5, 7)
    store.hold("killed", 10, 20)  # the next run sends it again: it may have been paid twice
    assert store.held() == (3, 30, 60)
    store.put("killed", "answer", ANSWER)
    assert store.held() == (2, 20, 40)
    store.close()


def test_room_is_held_for_what_is_under_way(tmp_path: Path) -> None:
    Store(tmp_path).close()
    assert (tmp_path / "responses.reserve").stat().st_size == RESERVE_BYTES
    (tmp_path / "responses.reserve").unlink()
    Store(tmp_path).close()
    assert (tmp_path / "responses.reserve").exists()
    assert issubclass(StoreFullError, RuntimeError)  # the settings are not at fault: exit code 1
