"""The folder of indexes: whole entries, a cap, and jobs that share it."""

import json
import multiprocessing
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.runs.index_cache import COMPLETE, IndexCache

Bench = Callable[..., Any]
SIZE = 1000


def fill(folder: Path) -> None:
    (folder / "index").mkdir()
    (folder / "index" / "tensors").write_bytes(b"x" * SIZE)
    (folder / COMPLETE).write_text("{}")


def put(cache: IndexCache, key: str, write: Callable[[Path], None] = fill) -> None:
    with cache.lock(key):
        cache.publish(key, SIZE, write)


def age(cache: IndexCache, key: str, seconds: float) -> None:
    os.utime(cache.entry(key) / COMPLETE, (time.time() - seconds,) * 2)


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path, max_bytes=int(2.5 * SIZE))
    put(cache, "a")
    put(cache, "b")
    age(cache, "a", 100)
    age(cache, "b", 50)
    cache.used("a")
    put(cache, "c")
    assert (cache.has("a"), cache.has("b"), cache.has("c")) == (True, False, True)
    assert cache.size() <= 2.5 * SIZE


def test_an_entry_larger_than_the_cap_evicts_nothing(tmp_path: Path) -> None:
    put(IndexCache(tmp_path), "a")
    with pytest.raises(OSError, match="more than cache_max_gb"):
        put(IndexCache(tmp_path, max_bytes=SIZE // 2), "b")
    assert IndexCache(tmp_path).has("a")


def test_a_full_disk_keeps_room_for_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(OSError, match="kept for records"):
        put(IndexCache(tmp_path), "a")
    assert not IndexCache(tmp_path).has("a")


def test_an_entry_that_could_not_be_written_is_not_there(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path)

    def half(folder: Path) -> None:
        (folder / "index").mkdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        put(cache, "a", half)
    assert not cache.has("a")
    assert [path.name for path in tmp_path.iterdir()] in ([], ["a.lock"])


def test_what_a_kill_left_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path)
    left = tmp_path / ".making-a-xyz"
    left.mkdir()
    (left / COMPLETE).write_text("{}")
    assert cache.size() == 0
    put(cache, "a")
    assert not left.exists()
    assert cache.has("a")


def _make_once(folder: Path, log: Path) -> None:
    cache = IndexCache(folder)
    for key in ("a", "b"):
        with cache.lock(key):
            if not cache.has(key):
                with log.open("a") as file:
                    file.write(key)
                time.sleep(0.05)
                cache.publish(key, SIZE, fill)
        assert (cache.entry(key) / "index" / "tensors").stat().st_size == SIZE


def test_jobs_that_need_one_entry_make_it_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    jobs = [
        fork.Process(target=_make_once, args=(tmp_path / "cache", tmp_path / "log"))
        for _ in range(4)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(30)
    assert [job.exitcode for job in jobs] == [0] * 4
    assert sorted((tmp_path / "log").read_text()) == ["a", "b"]


def test_a_run_with_a_cap_keeps_to_it(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=full").code == 0
    cache = IndexCache(tmp_path / "cache")
    one = cache.size() // 2
    shutil.rmtree(tmp_path / "results")
    cap = 1.5 * one
    assert bench("method=full", f"cache_max_gb={cap / 1e9}", "task.seed=7").code == 0
    assert 0 < cache.size() <= cap
    entries = list((tmp_path / "cache").glob(f"*/{COMPLETE}"))
    assert len(entries) == 1
    assert json.loads(entries[0].read_text())["prepare_ms"] > 0


def test_the_rights_of_an_entry_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        cache = IndexCache(tmp_path / "cache")
        with cache.lock("a"):
            cache.publish("a", 1, lambda folder: (folder / COMPLETE).write_text("{}"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.entry("a").stat().st_mode) == 0o775
    assert stat.S_IMODE((cache.entry("a") / COMPLETE).stat().st_mode) == 0o664


def test_an_entry_that_another_process_evicts_while_sizes_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = IndexCache(tmp_path)
    for key in ("a", "b"):
        (tmp_path / key).mkdir()
        (tmp_path / key / COMPLETE).write_text("12345")

    def vanishing(folder: Path, pattern: str) -> Any:
        if folder.name == "a":
            raise FileNotFoundError(folder)
        return folder.glob("**/*")

    monkeypatch.setattr(Path, "rglob", vanishing)
    assert cache.size() == 5
