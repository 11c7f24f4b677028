"""Files inside packages: Debian's ``.deb``, wheels, and npm's ``.tgz``. Nothing is unpacked to disk."""

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rows.download import MissingDataError

DEB = b"!<arch>\n"
_HEADER = 60  # bytes in front of each member of a .deb
_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError),
    *(tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error),
)


def members(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The wanted files of a package, by name in the order of names; gzipped ones (``.gz``) unzipped.

    Args:
        wanted: says which, by the whole name inside the package, without ``./`` in front.

    Raises:
        MissingDataError: the package is damaged, or holds none of them.
    """
    try:
        found = dict(sorted(_members(path, wanted)))
    except _DAMAGED as error:
        raise MissingDataError(
            f"{path} is damaged ({error}); delete it to fetch it again"
        ) from error
    if not found:
        raise MissingDataError(f"{path} holds none of the files that are read from it")
    return found


def _members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as package:
            for name in package.namelist():
                if wanted(name):
                    yield name, package.read(name)
        return
    content = path.read_bytes()
    inner = _data_of_deb(content) if content.startswith(DEB) else content
    with tarfile.open(fileobj=io.BytesIO(inner)) as package:
        for each in package:
            name = each.name.removeprefix("./")
            if each.isfile() and wanted(name) and (file := package.extractfile(each)):
                read = file.read()
                yield name, gzip.decompress(read) if name.endswith(".gz") else read


def _data_of_deb(content: bytes) -> bytes:
    """The archive of a .deb's files, which is an ``ar`` archive of three members."""
    start = len(DEB)
    while start + _HEADER <= len(content):
        header = content[start : start + _HEADER]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        start += _HEADER
        if name.startswith("data.tar"):
            return content[start : start + size]
        start += size + size % 2
    raise ValueError("a .deb without data.tar")
