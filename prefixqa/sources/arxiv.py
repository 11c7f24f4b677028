"""Documents from arXiv: LaTeX source, else PDF, at the pace its terms ask for, kept on disk."""

import gzip
import io
import json
import lzma
import re
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefixqa.sources.latex import latex
from prefixqa.sources.pdf import pdf
from prefixqa.sources.raw import Raw, SourceError
from rows.whole import write_bytes

ID = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?")
PAUSE = 3.0  # seconds between requests: what arXiv's terms of use ask for
MAX_BYTES = 100_000_000
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)  # of what unpacks an archive
AGENT = "squeezed-attention-bench (PreFixQA; one request every three seconds)"


def arxiv_ids(text: str) -> list[str]:
    """The ids of ``ID,ID,...``, each once.

    Raises:
        ValueError: one is no arXiv id, or there is none.
    """
    ids = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [each for each in ids if not ID.fullmatch(each)]
    if wrong or not ids:
        raise ValueError(
            f"source: {wrong[0] if wrong else text!r} is no arXiv id; expected one like 2411.09688"
        )
    return ids


class Arxiv:
    """Fetches metadata (through the package ``arxiv``) and files; both are kept in ``cache``."""

    def __init__(self, cache: Path, site: str = "https://export.arxiv.org") -> None:
        import arxiv

        self._cache = cache
        self._site = site
        self._client = arxiv.Client(delay_seconds=PAUSE, num_retries=3)
        self._client.query_url_format = f"{site}/api/query?{{}}"
        self._last = float("-inf")

    def documents(self, ids: list[str]) -> Iterator[tuple[str, Raw | SourceError]]:
        """Each id with its document, or with what is wrong with it."""
        try:
            known = self._metadata(ids)
        except SourceError as error:
            yield from ((each, error) for each in ids)
            return
        for each in ids:
            try:
                yield each, self._document(each, known[each])
            except SourceError as error:
                yield each, error

    def _metadata(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        import arxiv
        import requests

        found = {each: self._kept(each) for each in ids}
        missing = [each for each in ids if found[each] is None]
        try:
            self._wait()
            results = list(self._client.results(arxiv.Search(id_list=missing))) if missing else []
        except (arxiv.ArxivError, requests.RequestException) as error:
            raise SourceError(f"arXiv does not answer ({error})") from error
        finally:
            self._last = time.monotonic()
        for result in results:
            meta = {"title": result.title, "published": result.published.date().isoformat()}
            names = {result.get_short_id(), re.sub(r"v\d+$", "", result.get_short_id())}
            for each in names.intersection(missing):
                found[each] = meta
                write_bytes(self._path(each, "json"), json.dumps(meta).encode())
        return {each: meta or {} for each, meta in found.items()}

    def _kept(self, name: str) -> dict[str, Any] | None:
        path = self._path(name, "json")
        return json.loads(path.read_text()) if path.exists() else None

    def _document(self, name: str, meta: dict[str, Any]) -> Raw:
        if not meta:
            raise SourceError("arXiv knows no such id")
        try:
            raw = from_source(f"arXiv:{name}", self._file(name, "src"))
        except SourceError:
            raw = pdf(f"arXiv:{name}", self._file(name, "pdf"))
        return replace(
            raw, source=f"arXiv:{name}", title=meta["title"], published=meta["published"]
        )

    def _file(self, name: str, kind: str) -> bytes:
        import requests

        path = self._path(name, kind)
        if path.exists():
            return path.read_bytes()
        self._wait()
        try:
            with requests.get(
                f"{self._site}/{kind}/{name}",
                timeout=60,
                stream=True,
                headers={"user-agent": AGENT},
            ) as reply:
                reply.raise_for_status()
                content = reply.raw.read(MAX_BYTES + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise SourceError(f"cannot fetch its {kind} from arXiv ({error})") from error
        finally:
            self._last = time.monotonic()
        if len(content) > MAX_BYTES:
            raise SourceError(f"its {kind} has more than {MAX_BYTES} bytes")
        write_bytes(path, content)
        return bytes(content)

    def _wait(self) -> None:
        time.sleep(max(0.0, self._last + PAUSE - time.monotonic()))

    def _path(self, name: str, kind: str) -> Path:
        return self._cache / f"{name.replace('/', '_')}.{kind}"


def from_source(name: str, content: bytes) -> Raw:
    """The document in an arXiv source package: a tar of files, or one gzipped LaTeX file.

    Nothing is unpacked to disk.

    Raises:
        SourceError: no LaTeX in it.
    """
    files = _unpack(content)
    mains = [each for each in files if each.endswith(".tex") and b"\\documentclass" in files[each]]
    if not mains:
        raise SourceError("its source holds no LaTeX document")
    main = max(mains, key=lambda each: (b"\\begin{document}" in files[each], len(files[each])))

    def other(path: str) -> str | None:
        path = path.strip().removeprefix("./")
        found = files.get(path) or files.get(f"{path}.tex")
        return found.decode("utf-8", "replace") if found else None

    return latex(name, files[main], other)


def _unpack(content: bytes) -> dict[str, bytes]:
    if content[:4] == b"%PDF":
        raise SourceError("its source is a PDF")
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as package:
            texts = [each for each in package if each.isfile() and each.name.endswith(".tex")]
            # Sizes are checked before anything is read: a package can claim any.
            if sum(each.size for each in texts) > MAX_BYTES:
                raise SourceError("its source is too large")
            found = {each.name.removeprefix("./"): package.extractfile(each) for each in texts}
            return {each: file.read() for each, file in found.items() if file}
    except (tarfile.TarError, *_DAMAGED):
        pass
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return {"main.tex": file.read(MAX_BYTES)}
    except _DAMAGED as error:
        raise SourceError(f"its source cannot be unpacked ({error})") from error
