"""A package's file: kept, fetched by its client, else by its address, and never another one."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rows.download import MissingDataError
from tests.packages import stand_in
from texts.catalogue import TEXTS
from texts.fetch import fetched, kept
from texts.packages import Package


@pytest.fixture
def content() -> bytes:
    return stand_in("factbook")[1]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> Package:
    """A package whose address is a file, and whose client is not there."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("SQUEEZED_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin")
    there = tmp_path / "there"
    there.write_bytes(content)
    found, _ = stand_in("factbook")
    return replace(found, command=("fetching-tool", "get"), urls=(there.as_uri(),))


def client(tmp_path: Path, script: str) -> None:
    """Makes the package's client a shell script."""
    program = tmp_path / "bin" / "fetching-tool"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_without_a_client_it_comes_from_its_address_once(package: Package, content: bytes) -> None:
    assert kept(package) is None
    path = fetched(package)
    assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == [package.file]
    gone = replace(package, urls=())
    assert fetched(gone) == kept(gone) == path


def test_the_client_comes_first(package: Package, tmp_path: Path, content: bytes) -> None:
    client(tmp_path, f'test "$1" = get && cp {tmp_path}/there {package.file}')
    assert fetched(replace(package, urls=())).read_bytes() == content


def test_a_client_that_fails_is_not_the_end(package: Package, tmp_path: Path) -> None:
    client(tmp_path, "echo first; echo no such version >&2; exit 3")
    assert fetched(package).is_file()
    (tmp_path / "cache" / package.file).unlink()
    with pytest.raises(MissingDataError, match="fetching-tool get: no such version") as caught:
        fetched(replace(package, urls=()))
    assert "\n" not in str(caught.value)


def test_another_file_is_refused_and_not_kept(package: Package, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"other")
    with pytest.raises(MissingDataError, match="sha256 d9298a10") as caught:
        fetched(package)
    for part in (package.file, "put it there", str(tmp_path / "cache")):
        assert part in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_damaged_copy_is_fetched_again(package: Package, content: bytes) -> None:
    path = fetched(package)
    path.write_bytes(content[:-1])
    assert kept(package) is None
    assert fetched(package).read_bytes() == content


def test_nothing_is_fetched_if_the_user_says_so(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingDataError, match="HF_HUB_OFFLINE is set"):
        fetched(package)


def test_every_package_is_pinned() -> None:
    packages = [each.package for each in TEXTS.values() if each.package]
    assert len(packages) == 3
    for each in packages:
        assert len(bytes.fromhex(each.sha256)) == 32
        assert any(each.version in word for word in each.command)
        assert all(url.startswith("https://") for url in each.urls)
        assert each.version in each.file
