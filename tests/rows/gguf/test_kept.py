"""Where converted models are kept, and how one is known again."""

import os
from pathlib import Path

import pytest

from rows.gguf import kept

ORIGIN = kept.Origin("a.gguf", "ab" * 32, 5, "A model", "mit", ("a==1",), "5.23.0")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SQUEEZED_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_the_folder_is_the_users_cache_or_the_one_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.models_folder() == folder
    monkeypatch.delenv("SQUEEZED_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert kept.models_folder() == Path("/somewhere/squeezed/models")


def test_a_model_is_there_with_its_origin_and_by_its_name(folder: Path) -> None:
    made = kept.folder_of(ORIGIN.sha256)
    made.mkdir(parents=True)
    assert not kept.is_there(made)
    assert kept.origin(made) is None
    kept.write_origin(made, ORIGIN)
    assert kept.is_there(made)
    assert kept.origin(made) == ORIGIN
    assert ORIGIN.sha256 in ORIGIN.fingerprint
    (folder / "a-model").symlink_to(made.name)
    assert kept.named("a-model") == made.resolve()
    assert kept.named("another") is None
    assert kept.named("some/model") is None


def test_a_copy_elsewhere_has_no_origin(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    kept.write_origin(copy, ORIGIN)  # its weights may have been changed since
    assert kept.origin(copy) is None


def test_a_checksum_is_read_again_when_the_file_has_changed(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"one")
    first = kept.sha256_of(path)
    state = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert kept.sha256_of(path) != first
    (note,) = (folder / "sums").iterdir()
    note.write_text("{")
    path.write_bytes(b"one")
    assert kept.sha256_of(path) == first


def test_a_checksum_is_kept(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"one")
    kept.sha256_of(path)
    (note,) = (folder / "sums").iterdir()
    note.write_text(note.read_text().replace(kept.sha256_of(path), "known"))
    assert kept.sha256_of(path) == "known"
