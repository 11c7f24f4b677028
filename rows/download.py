"""What data sets take from elsewhere: where it is kept, whether it may be fetched, one file by address."""

import http.client
import os
import urllib.request
from pathlib import Path
from typing import Any

from tqdm import tqdm

TIMEOUT = 30  # seconds without an answer
CHUNK = 1 << 16  # bytes


class MissingDataError(ValueError):
    """A file is needed that is neither here nor to be had; says what to do."""


def cache_folder() -> Path:
    """Where downloaded files are kept: ``$SQUEEZED_DATA``, or a folder of the user's cache."""
    if given := os.environ.get("SQUEEZED_DATA"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "squeezed" / "data"


def require_online() -> None:
    """
    Raises:
        OSError: the user has said that nothing may be fetched.
    """
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise OSError("HF_HUB_OFFLINE is set")


def download(url: str, name: str) -> bytes:
    """The content of an address, behind a progress bar where stderr is a terminal.

    Args:
        name: of the file, for the bar.

    Raises:
        OSError: it cannot be had, or nothing may be fetched.
    """
    require_online()
    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            size = int(answer.headers.get("Content-Length") or 0) or None
            with progress(name, size) as bar:
                while piece := answer.read(CHUNK):
                    content += piece
                    bar.update(len(piece))
    except http.client.HTTPException as error:  # the connection broke, which is no OSError there
        raise OSError(f"the connection broke ({type(error).__name__})") from error
    return bytes(content)


def progress(name: str, size: int | None) -> "tqdm[Any]":
    """A bar that counts bytes; none where stderr is no terminal."""
    return tqdm(
        desc=name, total=size, unit="B", unit_scale=True, disable=None, leave=False, mininterval=0.2
    )
