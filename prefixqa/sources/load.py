"""From a source to documents: read, cleaned, filtered; what is left out is named with its reason."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from prefixqa.document import Document
from prefixqa.reading import Report
from prefixqa.sources.clean import clean
from prefixqa.sources.duplicates import NearDuplicates
from prefixqa.sources.files import read
from prefixqa.sources.raw import Raw, SourceError
from prefixqa.sources.report import report
from prefixqa.tokens import TokenCounter


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
    """What a source gave.

    Attributes:
        skipped: names of what was left out, each with the reason. reports: of what was read, by name.
        names: of the documents, by their ids.
    """

    documents: list[Document]
    skipped: dict[str, str]
    reports: dict[str, Report] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

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
    reports: dict[str, Report] = {}
    names: dict[str, str] = {}
    copies = NearDuplicates(rules.near_duplicates)
    for name, found in read(source, cache, seed):
        if limit and len(documents) >= limit:
            break
        try:
            if isinstance(found, SourceError):
                raise found
            text = clean(found)
            reports[name] = report(found, text)
            document = accept(found, rules, tokens, text)
            # Compared whole: two formats of one document are cut at different places.
            if (earlier := copies.copy_of(document.id, text)) is not None:
                raise SourceError(f"a near duplicate of {earlier}")
            if any(each.id == document.id for each in documents):
                document = Document(**(vars(document) | {"id": f"{document.id}-{len(documents)}"}))
        except SourceError as error:
            skipped[name] = str(error)
        else:
            documents.append(document)
            names[document.id] = name
    return Loaded(documents, skipped, reports, names)


def accept(raw: Raw, rules: Filter, tokens: TokenCounter, cleaned: str | None = None) -> Document:
    """The cleaned document.

    Args:
        cleaned: its text, where it was cleaned already.

    Raises:
        SourceError: the rules leave it out.
    """
    _check_date(raw.published, rules)
    text = clean(raw) if cleaned is None else cleaned
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
