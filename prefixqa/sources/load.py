"""From a source to documents: read, cleaned, filtered; what is left out is named with its reason."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prefixqa.document import Document
from prefixqa.sources.arxiv import Arxiv, arxiv_ids
from prefixqa.sources.clean import clean
from prefixqa.sources.duplicates import NearDuplicates
from prefixqa.sources.formats import FORMATS
from prefixqa.sources.raw import Raw, SourceError, decode, iso_date
from prefixqa.tokens import TokenCounter
from rows import strict_json
from texts import catalogue

ARXIV = "arxiv:"
TEXT_FIELDS = ("text", "document", "context", "content")


@dataclass(frozen=True)
class Filter:
    """Which documents may be asked about.

    Attributes:
        min_tokens, max_tokens: of the cleaned text. cut: whether a longer one is cut at a paragraph
            instead of being left out.
        near_duplicates: Jaccard similarity from which a document counts as a copy of an earlier one.
        after, before: ISO dates, both inclusive; documents without a date are left out then.
        licence: of documents that do not say.
    """

    min_tokens: int
    max_tokens: int
    cut: bool = True
    near_duplicates: float = 0.8
    after: str | None = None
    before: str | None = None
    licence: str = "unknown"


@dataclass(frozen=True)
class Loaded:
    """``skipped``: names of what was left out, each with the reason."""

    documents: list[Document]
    skipped: dict[str, str]

    def fingerprint(self) -> str:
        """A hash of the documents and of what was left out."""
        content = [[vars(each) for each in self.documents], self.skipped]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(
    source: str,
    rules: Filter,
    tokens: TokenCounter,
    cache: Path,
    limit: int = 0,
    seed: str = "0",
) -> Loaded:
    """The usable documents of a source, in its order (files by name).

    Args:
        source: a folder, a file, a .jsonl, ``arxiv:ID,ID``, or ``text:NAME``. cache: folder of fetched files.
        limit: at most so many documents; 0: all.
        seed: of the values that are swapped in a text that models know by heart.

    Raises:
        ValueError: there is no such source.
    """
    documents: list[Document] = []
    skipped: dict[str, str] = {}
    copies = NearDuplicates(rules.near_duplicates)
    for name, found in read(source, cache, seed):
        if limit and len(documents) >= limit:
            break
        try:
            if isinstance(found, SourceError):
                raise found
            document = accept(found, rules, tokens)
            if (earlier := copies.copy_of(document.id, document.text)) is not None:
                raise SourceError(f"a near duplicate of {earlier}")
            if any(each.id == document.id for each in documents):
                document = Document(**(vars(document) | {"id": f"{document.id}-{len(documents)}"}))
        except SourceError as error:
            skipped[name] = str(error)
        else:
            documents.append(document)
    return Loaded(documents, skipped)


def read(source: str, cache: Path, seed: str = "0") -> Iterator[tuple[str, Raw | SourceError]]:
    """Everything in a source by name, read or refused. Errors as ``load``."""
    if source.startswith(catalogue.PREFIX):
        name = source.removeprefix(catalogue.PREFIX)
        if catalogue.get(name).kind != catalogue.PROSE:  # cleaning would take its line ends away
            raise ValueError(f"source: {name} is code; documents are prose")
        corpus = catalogue.load(name, seed)
        for each in corpus.documents:
            yield each.name, Raw(each.name, each.text, corpus.pin, each.title, corpus.licence)
        return
    if source.startswith(ARXIV):
        yield from Arxiv(cache / "arxiv").documents(arxiv_ids(source.removeprefix(ARXIV)))
        return
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and _visible(each, path))
        if not files:
            raise ValueError(f"source: the folder {source} holds no file")
        for file in files:
            yield from _file(file, str(file.relative_to(path)))
    elif path.is_file():
        yield from _file(path, path.name)
    else:
        raise ValueError(
            f"source: no file or folder {source}; give a folder, a file, arxiv:ID,ID, or text:NAME"
        )


def accept(raw: Raw, rules: Filter, tokens: TokenCounter) -> Document:
    """The cleaned document.

    Raises:
        SourceError: the rules leave it out.
    """
    _check_date(raw.published, rules)
    text = clean(raw)
    if not text:
        raise SourceError("nothing is left after cleaning")
    count = tokens.count(text)
    if count < rules.min_tokens:
        raise SourceError(f"{count} tokens; expected at least {rules.min_tokens} (min_tokens)")
    if count > rules.max_tokens:
        if not rules.cut:
            raise SourceError(f"{count} tokens; at most {rules.max_tokens} fit (too_long=skip)")
        text = cut(text, rules.max_tokens, tokens)
    return Document(
        id=re.sub(r"[^A-Za-z0-9._-]+", "-", raw.name).strip("-.") or "document",
        title=raw.title or raw.name,
        text=text,
        source=raw.source,
        licence=raw.licence or rules.licence,
        published=raw.published,
    )


def cut(text: str, most: int, tokens: TokenCounter) -> str:
    """The paragraphs from the start that fit into ``most`` tokens; the last one up to a sentence.

    Raises:
        SourceError: not even one sentence fits.
    """
    # Ends of paragraphs and of sentences, in order; the largest that fits is found by halving.
    ends = [found.start() for found in re.finditer(r"(?<=[.!?])\s|\n\n|\Z", text)]
    low, high = -1, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if tokens.count(text[: ends[middle]]) <= most:
            low = middle
        else:
            high = middle - 1
    kept = re.sub(r"\n\n## [^\n]*\Z", "", text[: ends[low]].rstrip()) if low >= 0 else ""
    if not kept:
        raise SourceError(f"no sentence of it fits into {most} tokens")
    return kept


def _visible(file: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(root).parts)


def _file(path: Path, name: str) -> Iterator[tuple[str, Raw | SourceError]]:
    if path.suffix.lower() == ".jsonl":
        yield from _jsonl(path, name)
        return
    reader = FORMATS.get(path.suffix.lower())
    try:
        if reader is None:
            known = ", ".join([*FORMATS, ".jsonl"])
            raise SourceError(f"files of this kind are not read; known: {known}")
        content = path.read_bytes()
        if not content.strip():
            raise SourceError("the file is empty")
        yield name, reader(name, content)
    except SourceError as error:
        yield name, error
    except OSError as error:
        yield name, SourceError(f"cannot be read ({error.strerror})")


def _jsonl(path: Path, name: str) -> Iterator[tuple[str, Raw | SourceError]]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                found = _record(line, name, number)
                yield found.name, found
            except SourceError as error:
                yield f"{name}:{number}", error


def _record(line: bytes, name: str, number: int) -> Raw:
    try:
        record = strict_json.loads(decode(line))
    except ValueError as error:
        raise SourceError(f"not a line of JSON ({error})") from error
    if not isinstance(record, dict):
        raise SourceError(f"a JSON {type(record).__name__}; expected an object")
    text = next((record[field] for field in TEXT_FIELDS if record.get(field)), None)
    if not isinstance(text, str):
        raise SourceError(f"no text; expected one of the fields {', '.join(TEXT_FIELDS)}")
    published = record.get("published") or record.get("date")
    return Raw(
        name=str(record.get("id") or f"{name}:{number}"),
        text=text,
        source=str(record.get("source") or f"{name}:{number}"),
        title=str(record.get("title") or ""),
        licence=str(record.get("licence") or record.get("license") or "") or None,
        published=iso_date(str(published)) if published else None,
    )


def _check_date(published: str | None, rules: Filter) -> None:
    if not (rules.after or rules.before):
        return
    if published is None:
        raise SourceError("no publication date, and the set is filtered by date")
    # A date without day or month may be any in its month or year; all of them must be inside.
    earliest = published + "0000-01-01"[len(published) :]
    latest = published + "0000-12-31"[len(published) :]
    if rules.after and earliest < rules.after:
        raise SourceError(f"published {published}, before {rules.after} (published_after)")
    if rules.before and latest > rules.before:
        raise SourceError(f"published {published}, after {rules.before} (published_before)")
