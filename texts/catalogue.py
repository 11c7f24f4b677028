"""The texts by name: what each is, and its documents."""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from texts import anarchism, bible, factbook, packages, profile, stdlib, swap
from texts.document import Document
from texts.fetch import fetched, kept
from texts.packages import Package

PROSE, CODE = "prose", "code"
PROFILES = "factbook"  # the text whose values models know, and which can be swapped
PREFIX = "text:"  # of a source, where a path or another kind may stand too


@dataclass(frozen=True)
class Text:
    """A text that can be asked for by name.

    Attributes:
        about: in a few words. kind: ``prose``, whose line ends mean nothing, or ``code``.
        package: that it is taken from; None: it is on the machine already.
    """

    name: str
    about: str
    kind: str
    package: Package | None

    @property
    def here(self) -> bool:
        """Whether it can be read without fetching anything."""
        return self.package is None or kept(self.package) is not None


@dataclass(frozen=True)
class Corpus:
    """A text that was read.

    Attributes:
        pin: package, version and checksum. licence: of the text.
        fingerprint: 16 hex digits of its documents: another version or seed has others.
    """

    name: str
    kind: str
    documents: tuple[Document, ...]
    pin: str
    licence: str

    @functools.cached_property
    def fingerprint(self) -> str:
        content = hashlib.sha256()
        for each in self.documents:
            content.update(f"{each.name}\0{each.text}\0".encode("utf-8", "surrogatepass"))
        return content.hexdigest()[:16]


TEXTS = {
    each.name: each
    for each in (
        Text("anarchism", "essays: a FAQ of political theory", PROSE, packages.ANARCHISM),
        Text("bible", "the American Standard Version", PROSE, packages.BIBLE),
        Text(PROFILES, "country profiles of 2015", PROSE, packages.FACTBOOK),
        Text("stdlib", "code: the installed Python's standard library", CODE, None),
    )
}


def get(name: str) -> Text:
    """The text of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in TEXTS:
        raise ValueError(f"unknown text {name!r}; known: {', '.join(TEXTS)}")
    return TEXTS[name]


def load(name: str, seed: str | None = None) -> Corpus:
    """A text with all its documents, fetched if it is not here.

    Args:
        seed: of the values that country profiles get from each other; None, and in other texts: as they are.

    Raises:
        ValueError: no such text. MissingDataError: it cannot be had.
    """
    text = get(name)
    if text.package is None:
        return Corpus(name, text.kind, tuple(stdlib.documents()), stdlib.pin(), "PSF-2.0")
    read = _READERS.get(name)
    documents = (
        _read(read, fetched(text.package))
        if read
        else tuple(_document(each) for each in profiles(seed))
    )
    return Corpus(name, text.kind, documents, text.package.pin, text.package.licence)


@functools.lru_cache(maxsize=2)  # the largest take seconds, and a sweep asks in every run
def _read(reader: Callable[[Path], list[Document]], path: Path) -> tuple[Document, ...]:
    return tuple(reader(path))


def pin(name: str) -> str:
    """Package, version and checksum of a text.

    Raises:
        ValueError: no such text.
    """
    package = get(name).package
    return stdlib.pin() if package is None else package.pin


def profiles(seed: str | None = None) -> list[factbook.Profile]:
    """The country profiles, fetched if they are not here; arguments and errors as ``load``."""
    found = _read_profiles(fetched(profiles_package()))
    return list(found) if seed is None else swap.swapped(found, seed)


def profiles_package() -> Package:
    """The package of the country profiles."""
    package = get(PROFILES).package
    assert package is not None
    return package


@functools.lru_cache(maxsize=1)
def _read_profiles(path: Path) -> tuple[factbook.Profile, ...]:
    return tuple(factbook.profiles(path))


_READERS: dict[str, Callable[[Path], list[Document]]] = {
    "anarchism": anarchism.documents,
    "bible": bible.documents,
}


def _document(one: factbook.Profile) -> Document:
    text, _ = profile.laid_out([one])
    return Document(one.code, one.name, text)
