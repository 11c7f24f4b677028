"""Files from other places, which here lie in another folder."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from rows.download import MissingDataError
from ruler.sources import download, essays
from ruler.sources.download import Remote, fetch


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def remote(folder: Path, content: bytes = b"text") -> Remote:
    path = folder / "there.json"
    path.write_bytes(content)
    return Remote("here.json", path.as_uri(), hashlib.sha256(b"text").hexdigest(), "squad")


def test_a_file_is_downloaded_once_and_kept(tmp_path: Path) -> None:
    wanted, cache = remote(tmp_path), tmp_path / "cache"
    path = fetch(wanted, cache)
    assert path.read_bytes() == b"text"
    assert [each.name for each in cache.iterdir()] == ["here.json"]
    (tmp_path / "there.json").unlink()
    assert fetch(wanted, cache) == path


def test_a_damaged_copy_is_downloaded_again(tmp_path: Path) -> None:
    wanted, cache = remote(tmp_path), tmp_path / "cache"
    fetch(wanted, cache).write_bytes(b"tex")
    assert fetch(wanted, cache).read_bytes() == b"text"


def test_another_content_is_refused_and_not_kept(tmp_path: Path) -> None:
    wanted = remote(tmp_path, b"other")
    with pytest.raises(MissingDataError, match="sha256 d9298a10") as caught:
        fetch(wanted, tmp_path / "cache")
    assert "squad=PATH" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_offline_the_error_says_what_and_whence_and_what_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = remote(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingDataError) as caught:
        fetch(wanted, tmp_path / "cache")
    for part in ("here.json", wanted.url, "squad=PATH", "HF_HUB_OFFLINE"):
        assert part in str(caught.value)


def test_a_dead_link_is_an_error_of_that_kind(tmp_path: Path) -> None:
    wanted = remote(tmp_path)
    (tmp_path / "there.json").unlink()
    with pytest.raises(MissingDataError, match="cannot be downloaded"):
        fetch(wanted, tmp_path / "cache")


def test_every_file_has_a_pinned_place_and_checksum() -> None:
    files = [download.SQUAD, download.HOTPOTQA, download.CONSTANTS, download.NIAH]
    for each in [*files, download.TRACKING]:
        assert each.url.startswith("https://")
        assert len(bytes.fromhex(each.sha256)) == 32
    assert len({each.name for each in [*files, download.TRACKING]}) == 5


@pytest.fixture
def repository(tmp_path: Path) -> tuple[str, str]:
    """A git repository with two essays, and its commit."""
    folder = tmp_path / "repository"
    for name, text in (("b.txt", "Second."), ("a.txt", "First.")):
        path = folder / essays.FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "other.txt").write_text("No essay.")
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": os.devnull}
    names |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), "-c", "core.hooksPath=/dev/null", *arguments]
        environment = os.environ | names
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "essays")
    return folder.as_uri(), git("rev-parse", "HEAD")


def test_essays_come_from_one_commit_in_order(repository: tuple[str, str], tmp_path: Path) -> None:
    path = essays.fetch(*repository, tmp_path / "cache")
    assert path.read_text() == "First.\nSecond."
    assert essays.fetch("file:///nowhere", repository[1], tmp_path / "cache") == path


def test_essays_that_cannot_be_had_are_an_error(
    repository: tuple[str, str], tmp_path: Path
) -> None:
    url, _ = repository
    with pytest.raises(MissingDataError, match="essays=PATH") as caught:
        essays.fetch(url, "0" * 40, tmp_path / "cache")
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)
