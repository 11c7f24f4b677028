"""PreFixQA's sources in each format, packages of arXiv, and what a model answers."""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefixqa.document import Document
from prefixqa.extractive import extract
from prefixqa.output.folder import MANIFEST
from prefixqa.output.write import manifest_of
from prefixqa.service import reply, schema
from prefixqa.sources.arxiv import from_source
from prefixqa.sources.clean import clean
from prefixqa.sources.load import Filter, accept, read
from prefixqa.sources.pdf import readable
from prefixqa.sources.raw import Raw, SourceError
from prefixqa.tokens import TokenCounter
from tests.fuzz import kinds
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.harness import Loader

TEXT = "A short text about tides.\n\nThe tide turns twice a day. \u00e9 \u4e2d"
RECORDS = (
    {"id": "a", "text": TEXT, "title": "Tides", "published": "2024-05-06", "licence": "CC0"},
    {"document": TEXT, "date": "2023"},
)
MARKDOWN = f"---\ntitle: Tides\ndate: 2024-05-06\n---\n# Tides\n\n{TEXT} [a](b) `c`\n```x```\n"
HTML = (
    "<html><head><title>Tides</title><meta name='date' content='2024-05-06'>"
    "<link rel=license href=cc0></head><body><nav>x</nav><h1>Tides</h1><p>The tide &amp; the <b>moon"
    "</b>.</p><ul><li>one<li>two</ul><script>no()</script></body></html>"
)
LATEX = (
    "\\documentclass{article}\\title{Tides}\\date{2024-05-06}\\begin{document}\\maketitle\n"
    "\\section{Moon}The tide~\\cite{a} turns. % no\n\\begin{figure}\\caption{A {b} c}\\end{figure}\n"
    "\\input{other} $x^2$\\end{document}"
)


class Words:
    """Counts words, which is enough for a filter; a tokenizer would take most of the time."""

    def count(self, text: str) -> int:
        return len(text.split())


RULES = Filter(min_tokens=1, max_tokens=50, after="1990-01-01")


def jsonl_files(folder: Path) -> list[bytes]:
    return [b".jsonl\n" + b"".join(json.dumps(each).encode() + b"\n" for each in RECORDS)]


def text_files(folder: Path) -> list[bytes]:
    files = {".txt": TEXT, ".md": MARKDOWN, ".html": HTML, ".tex": LATEX}
    found = [f"{ending}\n{content}".encode() for ending, content in files.items()]
    return [*found, b".txt\n" + TEXT.encode("utf-16")]


def pdf_files(folder: Path) -> list[bytes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 2))
    figure.text(0.1, 0.5, "The tide turns twice a day.")
    made = io.BytesIO()
    figure.savefig(made, format="pdf")
    return [b".pdf\n" + made.getvalue()]


def page_texts(folder: Path) -> list[bytes]:
    """Text as a PDF gives it: lines cut anywhere, accents apart, contents with leaders, a running head."""
    contents = "Contents\n1 Tides . . . . . . . 3\n1.1 The moon ....... 4\nReferences\n[1] A. Holm. 1999.\n"
    body = (
        "On tides 3\nThe tide at Ellmouth rises by 4.2 metres in spring, and it falls by measur-\n"
        "ing it. A weir is a low dam. It is named after Maren \u00b4 Holt (see Fig. 2).\n\n"
        "The mud contains shells, sand and clay, and the bay is warmer than the open sea.\n\f"
    )
    return [contents.encode() + body.encode(), body.encode() * 3]


def read_page_text(content: bytes, folder: Path) -> None:
    """Judged, cleaned, and asked about by rule; each answer stands where its evidence says."""
    page = content.decode("utf-8", "replace")
    if not readable(page):
        raise SourceError("not readable")
    text = clean(Raw("fuzzed", page, "fuzzed", wrapped=True))
    for pair in extract(Document("fuzzed", "fuzzed", text, ""), 6, 0).pairs:
        (evidence,) = pair.evidence
        assert text[evidence.start : evidence.end] == evidence.text
        assert pair.answers[0] in evidence.text


def read_source(content: bytes, folder: Path) -> None:
    """Every document of a source, or the reason why it is left out; a source as such has no errors."""
    ending, _, content = content.partition(b"\n")
    path = folder / f"source{ending.decode()}"
    path.write_bytes(content)
    refused: SourceError | None = None
    for name, found in read(str(path), folder):
        name.encode()
        if isinstance(found, SourceError):
            refused = found
            continue
        try:
            document = accept(found, RULES if found.published else Filter(1, 50), counter())
        except SourceError as error:
            refused = error
            continue
        try:
            json.dumps(asdict(document), ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            raise AssertionError(f"an accepted document cannot be written: {error}") from error
        assert all(isinstance(value, str | None) for value in vars(document).values())
    if refused:
        raise refused


def counter() -> TokenCounter:
    words: Any = Words()
    return words  # type: ignore[no-any-return]


def packages(folder: Path) -> list[bytes]:
    """Source packages as arXiv gives them out: a tar, a gzipped tar, one gzipped file."""
    found = []
    for mode in ("w", "w:gz"):
        package = io.BytesIO()
        with tarfile.open(fileobj=package, mode=mode) as tar:  # type: ignore[call-overload]
            for name, text in (("main.tex", LATEX), ("other.tex", "More."), ("a.png", "x")):
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        found.append(package.getvalue())
    return [*found, gzip.compress(LATEX.encode())]


def read_package(content: bytes, folder: Path) -> None:
    from_source("fuzzed", content)
    assert not list(folder.iterdir())  # nothing is unpacked to the disk


def answers(folder: Path) -> list[bytes]:
    pair = {"question": "When does it turn?", "answer": "twice", "type": "factual"}
    proposals = {"pairs": [pair | {"evidence": ["The tide turns twice a day."]}]}
    return [f"Here it is:\n```json\n{json.dumps(proposals)}\n```".encode()]


def replies(folder: Path) -> list[bytes]:
    """Bodies as services send them: text, parts with thoughts, an error."""
    text = answers(folder)[0].decode()
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    found = []
    for content in (text, parts):
        choice = {"message": {"content": content, "refusal": None}, "finish_reason": "stop"}
        found.append(json.dumps({"choices": [choice], "usage": usage}).encode())
    return found


def read_reply(content: bytes, folder: Path) -> None:
    """What is accepted can be kept and read again, and its text can be looked through."""
    response = reply.read_reply(content)
    assert reply.read_kept(json.dumps(asdict(response))) == response
    (response.content or "").encode()
    with contextlib.suppress(schema.UnreadableError):
        schema.read_proposals(response.content or "")


def kept_replies(folder: Path) -> list[bytes]:
    responses = (reply.read_reply(each) for each in replies(folder))
    return [json.dumps(asdict(each)).encode() for each in responses]


def read_kept(content: bytes, folder: Path) -> None:
    response = reply.read_kept(content.decode("utf-8", "replace"))
    assert isinstance(response.content, str | None)
    (response.content or "").encode()


def manifests(folder: Path) -> list[bytes]:
    """The manifest of a small set; what it says of its one file is right."""
    digest = hashlib.sha256(b"").hexdigest()
    return [json.dumps({"settings": {"backend": "template"}, "complete": True, "documents": 1,
                        "pairs": 2, "rejected": {"length": 1}, "files": {"a": digest}}).encode()]  # fmt: skip


def read_manifest(content: bytes, folder: Path) -> None:
    """One that is taken for whole says everything that is read of it."""
    (folder / "a").touch()
    (folder / MANIFEST).write_bytes(content)
    manifest = manifest_of(folder)
    if manifest is None:
        raise SourceError("changed since")
    kinds_of = {"settings": dict, "complete": bool, "documents": int, "rejected": dict}
    assert all(isinstance(manifest[name], kind) for name, kind in kinds_of.items())


def read_answer(content: bytes, folder: Path) -> None:
    schema.read_proposals(content.decode("utf-8", "replace"))


REFUSED = (SourceError,)
REPLIES = kinds.either(kinds.json_file, damaged_bytes)
LOADERS = (
    Loader(
        "PreFixQA sources (JSONL)",
        8,
        jsonl_files,
        kinds.named(kinds.json_lines),
        read_source,
        REFUSED,
    ),
    Loader(
        "PreFixQA sources (text)", 5, text_files, kinds.named(damaged_bytes), read_source, REFUSED
    ),
    Loader(
        "PreFixQA sources (PDF)", 1, pdf_files, kinds.named(damaged_bytes), read_source, REFUSED
    ),
    Loader("PDF text, questions", 4, page_texts, damaged_bytes, read_page_text, REFUSED),
    Loader("arXiv packages", 4, packages, damaged_bytes, read_package, REFUSED),
    Loader("service replies", 5, replies, REPLIES, read_reply, (reply.ReplyError,)),
    Loader("kept replies", 3, kept_replies, REPLIES, read_kept, (reply.ReplyError,)),
    Loader("PreFixQA manifests", 3, manifests, kinds.json_file, read_manifest, REFUSED),
    Loader("model answers", 5, answers, damaged_bytes, read_answer, (schema.UnreadableError,)),
)
