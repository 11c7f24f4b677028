"""Real documents: every format, cleaning, filters, and what is left out by name."""

import codecs
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from documents import LATEX, PARAGRAPH, mixed_folder, package, pdf, pdf_pages

from prefixqa.document import Document
from prefixqa.sources import arxiv
from prefixqa.sources.arxiv import Arxiv, from_source
from prefixqa.sources.clean import clean, normalise
from prefixqa.sources.duplicates import NearDuplicates
from prefixqa.sources.formats import FORMATS
from prefixqa.sources.load import Filter, Loaded, cut, load
from prefixqa.sources.raw import Raw, SourceError, iso_date
from prefixqa.tokens import TokenCounter
from rows.row import read_jsonl
from tests.commands import Run

ALL = Filter(min_tokens=10, max_tokens=5000, near_duplicates=0.9)


@pytest.fixture
def loaded(tokens: TokenCounter, tmp_path: Path) -> Loaded:
    return load(str(mixed_folder(tmp_path / "mixed")), ALL, tokens, tmp_path / "cache")


def by_id(loaded: Loaded, name: str) -> Document:
    return next(each for each in loaded.documents if each.id == name)


def test_every_format_is_read_and_the_rest_is_named(loaded: Loaded) -> None:
    names = [each.id for each in loaded.documents]
    assert names == ["bells.html", "harbour.txt", "lamps.pdf", "mills", "sand.tex", "tides.md"]
    assert set(loaded.skipped) == {"broken.pdf", "empty.txt", "more.jsonl:2", "photo.png"}
    assert "damaged PDF" in loaded.skipped["broken.pdf"]
    assert loaded.skipped["empty.txt"] == "the file is empty"
    assert "not a line of JSON" in loaded.skipped["more.jsonl:2"]


def test_markdown(loaded: Loaded) -> None:
    found = by_id(loaded, "tides.md")
    assert (found.title, found.licence, found.published) == (
        "Tides of Alder Bay", "CC-BY-4.0", "2024-03-02")  # fmt: skip
    assert "## Methods\n\nThe height was read using a steel tape" in found.text
    assert "at Alder Bay was" in found.text
    assert "See the map." in found.text
    assert "Nobody" not in found.text


def test_latex(loaded: Loaded) -> None:
    found = by_id(loaded, "sand.tex")
    assert (found.title, found.published) == ("On the drift of sand", "2023-05-01")
    assert "## Dunes\n\nA barchan is a curved dune" in found.text
    assert "12% more" in found.text
    assert "A dune in May." in found.text
    for gone in ("comment", "Author", "maketitle", "includegraphics", "cite"):
        assert gone not in found.text


def test_html(loaded: Loaded) -> None:
    found = by_id(loaded, "bells.html")
    assert (found.title, found.published) == ("Notes on bells", "2022-01-05")
    assert found.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert "## Notes on bells\n\nThe great bell of Harsted weighs 2,410 kilograms." in found.text
    for gone in ("Home", "var x", "rights"):
        assert gone not in found.text


def test_pdf(loaded: Loaded) -> None:
    found = by_id(loaded, "lamps.pdf")
    assert (found.title, found.published) == ("The lamp of Norby", "2021-07-04")
    assert "## 1 Introduction" in found.text
    assert "keeper Ada Rossing." in found.text  # put together
    assert "in a night. The light was made steadier" in found.text  # over a line's end
    for gone in ("Journal", "Somebody", "References"):
        assert gone not in found.text


def test_jsonl(loaded: Loaded) -> None:
    found = by_id(loaded, "mills")
    assert (found.source, found.licence, found.published) == (
        "mills of the north", "CC0-1.0", "2020-05-06")  # fmt: skip


def test_jsonl_behind_a_byte_order_mark(tokens: TokenCounter, tmp_path: Path) -> None:
    record = json.dumps({"id": "mills", "text": PARAGRAPH})
    (tmp_path / "a.jsonl").write_bytes(codecs.BOM_UTF8 + record.encode())
    (document,) = load(str(tmp_path / "a.jsonl"), ALL, tokens, tmp_path).documents
    assert document.id == "mills"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\xff\xfe\xfa", "not UTF-8"),
        ("a.txt", b"text\x00", "binary"),
        ("a.tex", b"\\documentclass{x} text", "begin{document}"),
        ("a.pdf", pdf([[""]]), "text layer"),
    ],
)
def test_unreadable_files_say_why(name: str, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        FORMATS[Path(name).suffix](name, content)


def test_cleaning() -> None:
    text = (
        "1 Results\nThe \ufb01sh\u00a0was \u201clarge\u201d\u200b and 10\u00b2 cm.\n\nPage 3 of 9\n\n"
        "REFERENCES\n[1] A. Nobody, 1987.\n\n## Outlook\n\nMore follows."
    )
    cleaned = clean(Raw("x", text, "x", wrapped=True))
    assert (
        cleaned
        == '## 1 Results\n\nThe fish was "large" and 10\u00b2 cm.\n\n## Outlook\n\nMore follows.'
    )
    assert normalise("e\u0301\x07\u00ad") == "\u00e9"


def test_filters(tokens: TokenCounter, tmp_path: Path) -> None:
    folder = str(mixed_folder(tmp_path / "mixed"))
    dated = Filter(10, 5000, after="2021-01-01", before="2023-12-31")
    found = load(folder, dated, tokens, tmp_path)
    assert [each.id for each in found.documents] == ["bells.html", "lamps.pdf", "sand.tex"]
    assert "no publication date" in found.skipped["harbour.txt"]
    assert "before 2021-01-01" in found.skipped["mills"]
    assert "after 2023-12-31" in found.skipped["tides.md"]
    short = load(folder, Filter(80, 5000), tokens, tmp_path)
    assert "expected at least 80 (min_tokens)" in short.skipped["bells.html"]
    strict = load(folder, Filter(10, 90, cut=False), tokens, tmp_path)
    assert "at most 90 fit" in strict.skipped["harbour.txt"]


def test_a_date_without_a_day_is_taken_at_its_worst(tokens: TokenCounter, tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text(f"---\ndate: 2022\n---\n{PARAGRAPH}")
    inside = load(
        str(tmp_path), Filter(1, 999, after="2022-01-01", before="2022-12-31"), tokens, tmp_path
    )
    assert len(inside.documents) == 1
    for rules in (Filter(1, 999, after="2022-06-01"), Filter(1, 999, before="2022-06-01")):
        assert load(str(tmp_path), rules, tokens, tmp_path).documents == []
    assert [iso_date(each) for each in ("2022-13-01", "May 2022", "D:20210704", None)] == [
        None, None, "2021-07-04", None]  # fmt: skip


def test_near_duplicates_name_the_earlier_one() -> None:
    copies = NearDuplicates(0.8)
    text = " ".join(f"word{number} stands here" for number in range(200))
    assert copies.copy_of("a", text) is None
    assert copies.copy_of("b", text.upper()) == "a"
    assert copies.copy_of("c", text.replace("word7 ", "other ")) == "a"
    assert (
        copies.copy_of("d", " ".join(f"thing{number} lies there" for number in range(200))) is None
    )
    exact = NearDuplicates(1.0)
    assert exact.copy_of("a", text) is None
    assert exact.copy_of("c", text.replace("word7 ", "other ")) is None


def test_cutting_keeps_whole_sentences(tokens: TokenCounter) -> None:
    text = f"{PARAGRAPH}\n\n## Later\n\n{PARAGRAPH.replace('1931', '1950')}"
    for most in (40, 80, 150, 250):
        kept = cut(text, most, tokens)
        assert tokens.count(kept) <= most
        assert text.startswith(kept)
        assert kept[-1] in ".!?"
    with pytest.raises(SourceError, match="no sentence"):
        cut(text, 3, tokens)


def test_sources_of_papers() -> None:
    one = from_source(
        "x", package({"sub/a.tex": "not the main one", "paper.tex": LATEX, "more.tex": "The rest."})
    )
    assert "The rest." in one.text
    alone = from_source("x", gzip.compress(LATEX.encode()))
    assert alone.title == "On the drift of sand"
    for content, message in ((b"%PDF-1.5", "is a PDF"), (b"nonsense", "unpacked"),
                             (package({"a.txt": "x"}), "no LaTeX")):  # fmt: skip
        with pytest.raises(SourceError, match=message):
            from_source("x", content)


FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"
 xmlns:arxiv="http://arxiv.org/schemas/atom"><id>x</id><title>q</title><updated>2024-01-02T00:00:00Z</updated>
<opensearch:totalResults>{count}</opensearch:totalResults><opensearch:startIndex>0</opensearch:startIndex>
<opensearch:itemsPerPage>10</opensearch:itemsPerPage>{entries}</feed>"""
ENTRY = """<entry><id>http://arxiv.org/abs/{id}v1</id><updated>2024-01-02T00:00:00Z</updated>
<published>2024-01-02T00:00:00Z</published><title>Paper {id}</title><summary>s</summary>
<author><name>A</name></author><arxiv:primary_category term="cs.CL"/><category term="cs.CL"/>
<link href="http://arxiv.org/abs/{id}v1" rel="alternate" type="text/html"/>
<link title="pdf" href="http://arxiv.org/pdf/{id}v1" rel="related" type="application/pdf"/></entry>"""


@pytest.fixture
def site() -> Iterator[tuple[str, list[str]]]:
    """A stand-in for arXiv's site, and the paths that were asked for."""
    asked: list[str] = []
    files = {
        "/src/2401.00001": package({"main.tex": LATEX, "more.tex": PARAGRAPH}),
        "/src/2401.00002": b"%PDF-1.5 only",
        "/pdf/2401.00002": pdf(pdf_pages()),
    }

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path.split("?")[0])
            content = files.get(self.path)
            if self.path.startswith("/api/query"):
                known = [each for each in ("2401.00001", "2401.00002") if each in self.path]
                entries = "".join(ENTRY.replace("{id}", each) for each in known)
                content = FEED.format(count=len(known), entries=entries).encode()
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def test_arxiv_is_fetched_once_and_slowly(
    site: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(arxiv.time, "sleep", waits.append)
    ids = ["2401.00001", "2401.00002", "2401.99999"]
    found = dict(Arxiv(tmp_path, site[0]).documents(ids))
    one, two, three = (found[each] for each in ids)
    assert isinstance(one, Raw)
    assert isinstance(two, Raw)
    assert (one.title, one.published, one.source) == (
        "Paper 2401.00001",
        "2024-01-02",
        "arXiv:2401.00001",
    )
    assert "Ellmouth" in one.text  # from an included file
    assert "lamp of Norby" in two.text  # from the PDF, as there is no LaTeX
    assert "no such id" in str(three)
    assert sum(wait > 2.5 for wait in waits) >= 3  # before each file
    asked = list(site[1])
    again = dict(Arxiv(tmp_path, site[0]).documents(ids[:2]))
    assert again == {each: found[each] for each in ids[:2]}
    assert site[1] == asked


def test_arxiv_that_is_down_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arxiv.time, "sleep", lambda _: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    found = dict(Arxiv(tmp_path, "http://127.0.0.1:9").documents(["2401.00001"]))
    assert "arXiv does not answer" in str(found["2401.00001"])


def test_a_folder_of_mixed_documents_becomes_a_set(prefixqa: Run, tmp_path: Path) -> None:
    folder = mixed_folder(tmp_path / "mixed")
    out = tmp_path / "out"
    arguments = (
        "backend=extractive",
        f"source={folder}",
        f"out={out}",
        "min_tokens=10",
        "questions=4",
        "length=2000",
    )
    done = prefixqa(*arguments)
    assert done.returncode == 0, done.stderr
    for name in ("broken.pdf", "empty.txt", "photo.png", "more.jsonl:2"):
        assert f"prefixqa: left out {name}: " in done.stderr
        assert name in (out / "README.md").read_text()
    rows = read_jsonl(out / "prefixqa.jsonl")
    assert len({row.meta["document"] for row in rows}) == 6
    assert {row.meta["licence"] for row in rows} >= {"CC-BY-4.0", "CC0-1.0", "unknown"}
    assert prefixqa(*arguments).stdout.startswith("kept ")
    (folder / "tides.md").write_text(PARAGRAPH.replace("Ellmouth", "Alder"))
    assert prefixqa(*arguments).returncode == 2  # other documents, another set


def test_a_document_that_gives_too_few_pairs_says_how_many(prefixqa: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "two", tmp_path / "out"
    folder.mkdir()
    (folder / "weir.md").write_text(
        "The weir at Ellmouth was built in the spring of 1911 by people of the old town.\n\n"
        + "It is low and old. " * 40
    )
    done = prefixqa(
        *("backend=extractive", f"source={folder}", f"out={out}", "questions=5", "length=2000"),
        "min_tokens=10",
    )
    assert done.returncode == 0, done.stderr
    said = "1 of 5 pairs: no other sentence of it passes the rules"
    assert f"prefixqa: weir.md: {said}" in done.stderr
    assert said in (out / "README.md").read_text()
    (note,) = json.loads((out / "manifest.json").read_text())["read"]["weir.md"]["notes"]
    assert note.startswith(said)


def test_a_folder_without_a_usable_document_is_refused(prefixqa: Run, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "empty.txt").write_text(" ")
    done = prefixqa("backend=extractive", f"source={folder}", f"out={tmp_path / 'out'}")
    assert done.returncode == 2
    assert "left out empty.txt: the file is empty" in done.stderr
    assert "none of 1 documents can be used" in done.stderr
