"""SQuAD and HotpotQA as documents and questions about them."""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rows import strict_json
from texts.catalogue import PROSE, Corpus

SHORTEST, LONGEST = 40, 200  # words of a paragraph that may stand beside the documents


@dataclass(frozen=True)
class Item:
    """A question with its accepted answers.

    Attributes:
        gold: places of the documents that are needed. related: of those that distract most.
    """

    question: str
    answers: tuple[str, ...]
    gold: tuple[int, ...]
    related: tuple[int, ...]


@dataclass(frozen=True)
class QaData:
    """Documents and questions.

    Attributes:
        fingerprint: of the file they were read from.
        others: places of the documents that may stand around those of a question; None: all.
    """

    documents: tuple[str, ...]
    items: tuple[Item, ...]
    fingerprint: str
    others: range | None = None

    def among(self, corpus: Corpus) -> "QaData":
        """The same questions, but the documents around theirs are paragraphs of a text.

        Raises:
            ValueError: the text has no paragraphs of prose.
        """
        paragraphs = [
            plain
            for each in corpus.documents
            for paragraph in each.text.split("\n\n")
            if SHORTEST <= len((plain := _plain(paragraph)).split()) <= LONGEST
        ]
        paragraphs = list(dict.fromkeys(paragraphs).keys() - set(self.documents))
        if corpus.kind != PROSE or not paragraphs:
            raise ValueError(
                f"haystack: {corpus.name} has no paragraphs of prose; take another text"
            )
        own = len(self.documents)
        items = tuple(replace(item, related=()) for item in self.items)
        documents = (*self.documents, *sorted(paragraphs))
        both = f"{self.fingerprint}{corpus.fingerprint}".encode()
        fingerprint = hashlib.sha256(both).hexdigest()[:16]
        return QaData(documents, items, fingerprint, range(own, len(documents)))


def load(source: str, path: Path, compat: bool = False) -> QaData:
    """Reads a file of a data set.

    Args:
        source: ``squad`` (version 2) or ``hotpotqa`` (distractor setting).
        path: the authors' JSON, or the hub's rows (``rajpurkar/squad_v2``, ``hotpotqa/hotpot_qa``)
            as Parquet, JSON lines or a JSON list.
        compat: of HotpotQA all paragraphs of a question are needed, as in the original, and not
            only those that hold its facts.

    Raises:
        ValueError: the file is not of that format, or holds no question with an answer.
    """
    return _load(source, path.resolve(), path.stat().st_mtime_ns, compat)


@functools.lru_cache(maxsize=2)  # HotpotQA takes seconds, and a sweep asks for it in every run
def _load(source: str, path: Path, changed: int, compat: bool) -> QaData:
    content = path.read_bytes()
    try:
        parsed = _parsed(content)
        documents: dict[str, int] = {}
        parse = _squad if source == "squad" else _hotpotqa
        items = tuple(parse(parsed, documents, compat))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{source}: {path} is not a file of that data set ({error!r})") from error
    if not items:
        raise ValueError(f"{source}: {path} holds no question with an answer")
    return QaData(tuple(documents), items, hashlib.sha256(content).hexdigest()[:16])


def _parsed(content: bytes) -> Any:
    """The value of a file: JSON as the authors publish it, or rows in JSON lines or Parquet, as hubs do."""
    if content.startswith(b"PAR1"):
        import pyarrow as pa  # late: most files are JSON
        import pyarrow.parquet as pq

        try:
            return pq.read_table(pa.BufferReader(content)).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"damaged Parquet: {error}") from error
    try:
        return strict_json.loads(content)
    except ValueError:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [strict_json.loads(line) for line in lines]


def _by_article(rows: list[Any]) -> list[dict[str, Any]]:
    """Articles as in the authors' file, from the hub's rows, of which each is one question."""
    articles: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        answers = [{"text": text} for text in row["answers"]["text"]]
        paragraphs = articles.setdefault(row["title"], {})
        paragraphs.setdefault(row["context"], []).append(
            {"question": row["question"], "answers": answers}
        )
    return [
        {"paragraphs": [{"context": text, "qas": qas} for text, qas in paragraphs.items()]}
        for paragraphs in articles.values()
    ]


def _squad(content: Any, documents: dict[str, int], compat: bool) -> Iterator[Item]:
    for article in _by_article(content) if isinstance(content, list) else content["data"]:
        places = [_place(documents, each["context"]) for each in article["paragraphs"]]
        for place, paragraph in zip(places, article["paragraphs"], strict=True):
            related = tuple(dict.fromkeys(each for each in places if each != place))
            for question in paragraph["qas"]:
                answers = _distinct(each["text"] for each in question["answers"])
                if not question.get("is_impossible", False) and answers:
                    yield Item(_plain(question["question"]), answers, (place,), related)


def _hotpotqa(content: Any, documents: dict[str, int], compat: bool) -> Iterator[Item]:
    for question in content:
        context, facts = question["context"], question.get("supporting_facts", ())
        if isinstance(
            context, dict
        ):  # a column of titles beside a column of sentences, as on the hub
            context = zip(context["title"], context["sentences"], strict=True)
            facts = zip(facts["title"], facts["sent_id"], strict=True) if facts else ()
        places = {
            title: _place(documents, f"{title}\n{''.join(sentences)}")
            for title, sentences in context
        }
        needed = [title for title, _ in facts if title in places]
        titles = list(places) if compat or not needed else needed
        gold = tuple(dict.fromkeys(places[title] for title in titles))
        related = tuple(dict.fromkeys(each for each in places.values() if each not in gold))
        if answers := _distinct([question["answer"]]):
            yield Item(_plain(question["question"]), answers, gold, related)


def _place(documents: dict[str, int], text: str) -> int:
    """The place of a document, a new one if its text was not there before."""
    lines = (_plain(line) for line in text.splitlines())
    return documents.setdefault("\n".join(line for line in lines if line), len(documents))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _distinct(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in map(_plain, texts) if text))
